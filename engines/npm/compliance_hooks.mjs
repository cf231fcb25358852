// What the compliance suite gets otherwise than it is published, without a change to its files:
// 1. its specification is read from a file, not from the network; its reports go to a folder of the caller's;
// 2. its CIDs carry their content (identity hash), so that a service can pin them without finding anyone who has it.

const CONSTANTS = '/@ipfs-shipyard/pinning-service-compliance/dist/src/utils/constants.js'
const CID_MAKER = '/@ipfs-shipyard/pinning-service-compliance/dist/src/utils/getInlineCid.js'

let place

export function initialize (data) {
  place = data
}

export async function load (url, context, nextLoad) {
  if (!url.endsWith(CONSTANTS)) return nextLoad(url, context)
  const source = `
    export * from ${JSON.stringify(`${url}?as-published`)}
    export const specLocation = ${JSON.stringify(place.specification)}
    export const docsDir = ${JSON.stringify(place.reports)}`
  return { format: 'module', shortCircuit: true, source }
}

export async function resolve (specifier, context, nextResolve) {
  if (specifier !== 'multiformats/hashes/sha2' || !context.parentURL?.endsWith(CID_MAKER)) {
    return nextResolve(specifier, context)
  }
  const { url } = await nextResolve('multiformats/hashes/identity', context)
  const source = `import { identity } from ${JSON.stringify(url)}; export const sha256 = identity`
  return { url: `data:text/javascript,${encodeURIComponent(source)}`, format: 'module', shortCircuit: true }
}
