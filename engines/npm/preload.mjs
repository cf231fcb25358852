// Node's --import of this file puts compliance_hooks.mjs between the compliance suite and what it loads.
import { register } from 'node:module'

register('./compliance_hooks.mjs', import.meta.url, {
  data: { specification: process.env.PINFOLD_SUITE_SPECIFICATION, reports: process.env.PINFOLD_SUITE_REPORTS }
})
