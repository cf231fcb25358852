"""Every setting: its name, default and meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pinfold.node.node import default_data_dir
from pinfold.settings.values import (
    Address,
    check_urls,
    parse_email,
    parse_list,
    parse_networks,
    parse_origins,
    parse_routers,
    parse_size,
)
from pinfold.telemetry import LogFile

ENV_PREFIX: Final = "PINFOLD_"
FILE_NAME: Final = "pinfold.toml"
DATABASE_NAME: Final = "platform.sqlite3"  # the store knows this name, and does not take the folder for a stranger's
PUBLIC_ROUTERS: Final = ("https://delegated-ipfs.dev", "https://cid.contact")
"""The DHT together with the indexer, and the indexer by itself: they have different operators, so that one may fail."""
FORM_OVERHEAD_BYTES: Final = 1024 * 1024  # boundaries, names and headers of a form, beside its files


AddressText = Annotated[str, AfterValidator(lambda text: str(Address.parse(text)))]
OptionalAddress = Annotated[str, AfterValidator(lambda text: str(Address.parse(text)) if text else text)]
OptionalURL = Annotated[str, AfterValidator(lambda url: check_urls((url,))[0] if url else url)]
URLs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_list), AfterValidator(check_urls)]
Routers = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_routers), AfterValidator(check_urls)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_list), AfterValidator(parse_origins)]
ByteCount = Annotated[int, BeforeValidator(parse_size)]
EmailText = Annotated[str, AfterValidator(parse_email)]
NetworksText = Annotated[str, AfterValidator(lambda text: ", ".join(map(str, parse_networks(text))))]


class Settings(BaseSettings):
    """What ``pinfold up`` runs by.  Flags win over ``PINFOLD_*``, those over ``pinfold.toml``, those over defaults."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the blocks, the pins and the database. Chosen by `--data-dir` or the environment only, "
        "since the settings file lies in it.",
    )
    gateway_address: AddressText = Field(
        "127.0.0.1:8080",
        description="Where the gateway listens. `0.0.0.0:8080` opens it to the network; port 0 takes a free one.",
    )
    api_address: AddressText = Field(
        "127.0.0.1:3000",
        description="Where the API listens. Put a TLS proxy in front before opening it to a network you do not trust.",
    )
    status_address: OptionalAddress = Field(
        "",
        description="Where a process of any role answers `/ping`, `/health`, `/ready` and `/metrics` about itself, for "
        "example `127.0.0.1:3010`; one address for each process. The way to ask a worker or a gateway that runs alone. "
        "Empty: nowhere; the API answers the same at its own address. `metrics_access` says who may read `/metrics`.",
    )
    database_url: str = Field(
        "",
        repr=False,  # may hold a password
        description="URL of the database: `postgresql://USER:PASSWORD@HOST/NAME`, or `sqlite:////path/to/file`. "
        f"Empty: `{DATABASE_NAME}` in the data folder. A PostgreSQL gets its schema by `pinfold db upgrade`.",
    )
    redis_url: str = Field(
        "",
        repr=False,  # may hold a password
        description="URL of a Redis, such as `redis://HOST:6379/0`, in which several API processes count the requests "
        "that their limits speak of. Empty: each process counts its own; the quota of a day is held all the same.",
    )
    max_upload_bytes: ByteCount = Field(
        100 * 1024 * 1024,
        ge=1,
        description="Largest file of one upload. Larger ones get 413. Sizes like `2GiB` are understood.",
    )
    max_request_bytes: ByteCount = Field(
        0,
        ge=0,
        description="Largest upload request, all its files together; refused by its Content-Length before it is read. "
        "0: `max_upload_bytes` and 1 MiB for the form around the file.",
    )
    max_car_bytes: ByteCount = Field(
        32 * 1024**3,
        ge=0,
        description="Largest CAR of `/files/car`, by which `pinfold push` sends what the server lacks in one piece. "
        "One of 32 GiB can hold 800 million blocks, a fifth of what a store can number. 0: no limit but "
        "the quota.",
    )
    max_resumable_upload_bytes: ByteCount = Field(
        0,
        ge=0,
        description="Largest resumable upload (`/files/tus`). 0: no limit but the quota.",
    )
    resumable_upload_hours: float = Field(
        24.0,
        gt=0,
        le=24 * 365,
        description="Hours after which a resumable upload that nobody continues is given up.",
    )
    max_concurrent_uploads: int = Field(
        32,
        ge=1,
        le=1000,
        description="Uploads read at the same time; others wait, or are refused by 503 where none of these moves for "
        "five seconds. One organisation has at most half of them; one that sends less than 16 KiB/s "
        "loses its place to others that wait. Each costs four threads and up to 10 MiB.",
    )
    upload_idle_timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="An upload, or another body, is ended by 408 when nothing of it comes for so many seconds, or, "
        "averaged over twice as long, less than 1 KiB a second. Time in which the server is behind does not count.",
    )
    download_idle_timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="A client that takes nothing of an answer for so many seconds is disconnected, and so is one that, "
        "averaged over twice as long, takes less than 1 KiB a second. A player that pauses for longer asks for the "
        "rest by a range.",
    )
    max_connections: int = Field(
        1024,
        ge=16,
        le=1_000_000,
        description="Connections at the same time, at each address where this process listens: the API's and the "
        "gateway's are counted apart. One client address has at most half of them (a `/64` network counts as one "
        "address; the proxies of `trusted_proxies` may have all). A new connection that is too many takes the place of "
        "the one that has been idle for longest; where all are busy it gets 503. A low limit of open files "
        "(`ulimit -Hn`) makes it fewer: a quarter of them is kept for other files.",
    )
    worker_concurrency: int = Field(
        128, ge=1, le=1024, description="Pins carried to the engine at the same time. Raise it when pins stay queued."
    )
    pin_expiry_grace_s: float = Field(
        86_400.0,
        ge=0,
        description="Seconds for which a pin is kept after its `expires_at`, so that one who is late can renew it.",
    )
    fetch_from: URLs = Field(
        (),
        repr=False,  # may hold credentials
        description="Trustless gateways, between commas, that content is fetched from which is pinned by its CID and "
        "not here. They may be private ones, since you name them; nothing they send is trusted.",
    )
    fetch_routers: Routers = Field(
        PUBLIC_ROUTERS,
        validate_default=False,  # checking URLs loads HTTP, which most commands do without
        repr=False,
        description="Delegated routers (`/routing/v1`), between commas, that are asked which HTTP providers have such "
        "content. They learn the CIDs that are asked for, and nothing else; `off` asks none. The default are public "
        "services that others run.",
    )
    fetch_concurrency: int = Field(
        4,
        ge=1,
        le=64,
        description="DAGs that are fetched at the same time, by turns of the organisations; other pins do not wait "
        "for them.",
    )
    fetch_time_limit_s: float = Field(
        3600.0,
        gt=0,
        le=30 * 86_400,
        description="Seconds that one attempt to fetch a DAG may take. What came until then is kept for the next one.",
    )
    fetch_silence_s: float = Field(
        15.0, gt=0, le=3600, description="A source that is silent for so many seconds is asked no more in that attempt."
    )
    allow_private_origins: bool = Field(
        False,
        description="Whether `origins` of pins, and providers that routers name, may be addresses of private networks "
        "and of this machine. Only where every caller is trusted: they can have this server send requests there.",
    )
    public_gateway_url: OptionalURL = Field(
        "",
        description="Where others reach the gateway, for example `https://ipfs.example.com`; told to clients of the "
        "Pinning Service API as delegate, and to `pinfold push` for its links. Empty: `gateway_address`, as it is set "
        "for the process that answers. `pinfold api` does not know where a `pinfold gateway` listens: set this for "
        "every API process where that is not the default.",
    )
    shutdown_grace_s: float = Field(
        10.0, ge=0, le=3600, description="Seconds that running requests and pins get to finish when the program stops."
    )
    allow_private_webhooks: bool = Field(
        False,
        description="Whether webhooks may have addresses of private networks and of this machine. Only where every "
        "organisation is trusted: whoever makes webhooks can have this server send requests to them.",
    )
    webhook_events_days: int = Field(
        30, ge=1, le=3650, description="Days for which events of webhooks, and what became of them, can be looked up."
    )
    webhook_disable_after_days: int = Field(
        5, ge=1, le=365, description="A webhook is disabled when its deliveries have failed for so many days on end."
    )
    administrator_email: EmailText = Field(
        "admin@localhost",
        validate_default=False,  # it is in its normal form; what checks addresses takes long to load
        description="E-mail address of the administrator that the first start makes; later changes have no effect.",
    )
    sign_up: Literal["closed", "invited", "open"] = Field(
        "closed",
        description="Who may become a user: only those whom the server's administrator makes or invites (`closed`); "
        "those as well whom an organisation's owners and admins invite (`invited`); or anybody (`open`), who gets an "
        "organisation of their own on the plan `free`. Without mail the address of a user is proved to nobody with "
        "`invited` and `open`: an inviter could take an address that is not theirs.",
    )
    anonymous_requests: int = Field(
        100,
        ge=0,
        description="Requests to the API without a good token, or with one of a suspended organisation, that one "
        "address may make in 15 minutes. 0: no limit. Others are counted against the plan of their organisation.",
    )
    trusted_proxies: NetworksText = Field(
        "",
        description="Addresses or networks of the proxies before the API, such as `127.0.0.1, 10.0.0.0/8`: of "
        "these, `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Empty: of nobody. Behind a proxy that is not "
        "named here all clients share the limits of one address; a warning in the log says so.",
    )
    cors_origins: Origins = Field(
        (),
        description="Origins of web pages that may use the API, resumable uploads and `/psa` from browsers, between "
        "commas: for example `https://app.example.com, http://localhost:5173`. `*`: of every page. Empty: of none "
        "(answers have no CORS headers). A page still needs a token, and browsers send it no cookies. `/metrics` is "
        "never open to other origins.",
    )
    metrics_access: Literal["loopback", "token", "anyone"] = Field(
        "loopback",
        description="Who may read `/metrics` without a token of the scope `server:admin`: programs on this machine "
        "(what a proxy passes on is not theirs), nobody (`token`), or `anyone`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )
    log_format: Literal["auto", "human", "json"] = Field(
        "auto", description="`human` lines or `json` lines. `auto`: human on a terminal, JSON otherwise."
    )

    log_file: str = Field(
        "",
        description="File that log lines are appended to as JSON, beside those on standard error. Each process needs "
        "one of its own. Empty: none.",
    )
    log_file_bytes: ByteCount = Field(
        50 * 1024 * 1024,
        ge=64 * 1024,
        description="Size at which the log file is renamed to `NAME.1`, an older `NAME.1` to `NAME.2`, and so on.",
    )
    log_file_count: int = Field(5, ge=1, le=1000, description="Renamed log files that are kept.")

    @property
    def log_to(self) -> LogFile | None:
        """The log file, where there is one."""
        return LogFile(Path(self.log_file), self.log_file_bytes, self.log_file_count) if self.log_file else None

    @property
    def gateway_bind(self) -> Address:
        """The gateway's address, taken apart."""
        return Address.parse(self.gateway_address)

    @property
    def api_bind(self) -> Address:
        """The API's address, taken apart."""
        return Address.parse(self.api_address)

    @property
    def status_bind(self) -> Address | None:
        """The address at which this process tells of itself, taken apart; None where it does not."""
        return Address.parse(self.status_address) if self.status_address else None

    @property
    def trusted_proxy_networks(self) -> list[str]:
        """The proxies whose headers are believed."""
        return [str(network) for network in parse_networks(self.trusted_proxies)]

    @property
    def effective_gateway_url(self) -> str:
        """Where others reach the gateway, as far as is known."""
        host, port = self.gateway_bind
        known = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # not where one can connect to
        return self.public_gateway_url or f"http://{Address(known, port)}"

    @property
    def effective_database_url(self) -> str:
        """The database that is used: the one that was set, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / DATABASE_NAME}"

    @property
    def effective_max_request_bytes(self) -> int:
        """The limit of a whole upload request."""
        return self.max_request_bytes or self.max_upload_bytes + FORM_OVERHEAD_BYTES
