"""``pinfold completion``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from pinfold.cli import output

# Each asks `pinfold --complete WORD...` for lines of "word<TAB>meaning"; the last word is the one being typed.
_SCRIPTS: Final = {
    "bash": """\
_pinfold() {
    local IFS=$'\\n'
    COMPREPLY=($(pinfold --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o bashdefault -o default -F _pinfold pinfold
""",
    "zsh": """\
#compdef pinfold
_pinfold() {
    local -a found
    local answer
    for answer in "${(@f)$(pinfold --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $answer ]] && found+=("${${answer%%$'\\t'*}//:/\\\\:}:${answer#*$'\\t'}")
    done
    if (( $#found )); then _describe pinfold found; else _files; fi
}
compdef _pinfold pinfold
""",
    "fish": """\
function __pinfold_complete
    set -l words (commandline -opc)
    pinfold --complete $words[2..] (commandline -ct) 2>/dev/null
end
complete -c pinfold -a '(__pinfold_complete)'
""",
}


def command(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the shell completion script for bash, zsh or fish.

    Load it from the shell's start-up file: `source <(pinfold completion bash)` in ~/.bashrc, the same with zsh in
    ~/.zshrc behind compinit, `pinfold completion fish | source` in ~/.config/fish/config.fish.

    Example:
      pinfold completion bash
    """
    output.line(_SCRIPTS[shell].rstrip("\n"))
