"""What organisations keep and do: counted as it happens, measured once in a while, told day by day."""

from pinfold.services.usage.measure import Measurer
from pinfold.services.usage.meter import Flusher, GatewayMeter, RequestMeter
from pinfold.services.usage.service import UsageService

__all__ = ["Flusher", "GatewayMeter", "Measurer", "RequestMeter", "UsageService"]
