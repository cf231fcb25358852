"""The audit log: what was changed, by whom, from where; and whether it is as it was written."""

from pinfold.services.audit.service import AuditFinding, AuditRecord, AuditService

__all__ = ["AuditFinding", "AuditRecord", "AuditService"]
