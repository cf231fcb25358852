"""The page that lists every setting, made from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from pinfold.settings.model import ENV_PREFIX, FILE_NAME, Settings

_HEAD = f"""# Settings

`pinfold up` reads each setting from the first place that has it: a flag, an environment variable, `{FILE_NAME}` in the
data folder, the default. A value that cannot be used stops the start with a sentence that names it.

```toml
# {FILE_NAME}
gateway_address = "0.0.0.0:8080"
max_upload_bytes = "2GiB"
```

"""


def markdown() -> str:
    """The text of ``docs/settings.md``."""
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        default = "the platform's folder for user data" if field.is_required() or name == "data_dir" else field.default
        default = ",".join(default) if isinstance(default, tuple) else default  # as it is written
        shown = f"`{default}`" if name != "data_dir" and default != "" else (default or "empty")
        parts.append(f"## `{name}`\n\n")
        parts.append(f"{field.description}\n\n")
        parts.append(f"- environment: `{ENV_PREFIX}{name.upper()}`\n- default: {shown}\n\n")
    return "".join(parts).rstrip() + "\n"


def write(path: Path) -> None:
    """Write the page to ``path``."""
    path.write_text(markdown(), encoding="utf-8")
