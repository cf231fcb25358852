"""Every command, its module and its one line: enough to list them all without loading any."""

from __future__ import annotations

from typing import Final, NamedTuple


class Row(NamedTuple):
    """One command or group."""

    module: str
    """The module below ``pinfold.cli.commands`` whose ``command`` is called; empty for a group."""
    line: str
    """What it does; the first line of that function's docstring."""
    example: str = ""
    """A command line to show for a group; commands have theirs in their docstrings."""


# Keys are the words as they are typed. A group comes before its commands.
COMMANDS: Final[dict[str, Row]] = {
    "add": Row("add", "Add files and folders, pin them, and print their CIDs."),
    "cat": Row("cat", "Write the content of files to standard output."),
    "get": Row("get", "Write a file or folder to disk."),
    "ls": Row("ls", "List what is in a folder."),
    "refs": Row("refs", "List the links of a DAG, or every block that is here (refs local)."),
    "resolve": Row("resolve", "Say which CID a path leads to."),
    "stat": Row("stat_path", "Show the size of a path, and what unpinning it would give back."),
    "pin": Row("", "Keep content, let it go, and check that it is whole.", "pin ls --type recursive"),
    "pin add": Row("pin_add", "Pin content that is here, so that gc keeps it."),
    "pin ls": Row("pin_ls", "List what is pinned."),
    "pin rm": Row("pin_rm", "Unpin content; gc gives the space back."),
    "pin update": Row("pin_update", "Move a recursive pin from one root to another."),
    "pin verify": Row("pin_verify", "Hash every block of pins again and say what is missing or corrupt."),
    "pin requests": Row("pin_requests", "List what organisations asked this server to pin, newest first."),
    "pin status": Row("pin_status", "Show how CIDs stand for all who asked this server to pin them."),
    "pin retry": Row("pin_retry", "Have failed pin requests tried afresh."),
    "pin forget": Row("pin_forget", "Take back pin requests of an organisation."),
    "dag": Row("", "Import, export, read and write DAGs.", "dag import --stats hello.car"),
    "dag import": Row("dag_import", "Import CAR files, every block verified."),
    "dag export": Row("dag_export", "Write a DAG as a CAR."),
    "dag get": Row("dag_get", "Print one node of a DAG."),
    "dag put": Row("dag_put", "Store one node and print its CID."),
    "dag stat": Row("dag_stat", "Show the size of DAGs, alone and together."),
    "block": Row("", "Work with single blocks.", "block put hello.txt"),
    "block put": Row("block_put", "Store bytes as one block and print its CID."),
    "block get": Row("block_get", "Write the bytes of a block to standard output."),
    "block stat": Row("block_stat", "Show the size of a block."),
    "block rm": Row("block_rm", "Remove blocks that no pin needs."),
    "cid": Row(
        "",
        "Explain and convert CIDs; no data folder is needed.",
        "cid inspect QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN",
    ),
    "cid format": Row("cid_format", "Write CIDs in another form."),
    "cid inspect": Row("cid_inspect", "Show what a CID is made of."),
    "car": Row("", "Look into CAR files; no data folder is needed.", "car inspect hello.car"),
    "car inspect": Row("car_inspect", "Show what a CAR holds."),
    "car verify": Row("car_verify", "Hash every block of a CAR and list what is wrong with it."),
    "repo": Row("", "Look after the data folder.", "repo stat"),
    "repo stat": Row("repo_stat", "Show the store in numbers."),
    "repo gc": Row("repo_gc", "Remove the blocks that no pin needs; nothing has to stop for it."),
    "repo verify": Row("repo_verify", "Hash every block again and check pins, catalogue and segments."),
    "repo repair": Row("repo_repair", "Fetch bad and missing blocks again from a gateway, verified."),
    "repo rebuild": Row("repo_rebuild", "Make a lost or damaged catalogue anew, pins included."),
    "up": Row("up", "Start the gateway, the API and a worker on this machine."),
    "api": Row("api", "Start the API alone; any number may run on one data folder."),
    "worker": Row("worker", "Start a worker alone; any number may run on one data folder."),
    "gateway": Row("gateway", "Start a gateway alone; any number may run on one data folder."),
    "org": Row("", "Look after the organisations of this server.", "org list"),
    "org list": Row("org_list", "List the organisations of this server, newest first."),
    "org create": Row("org_create", "Make an organisation, with nobody in it yet."),
    "org show": Row("org_show", "Show one organisation and its members."),
    "org set": Row("org_set", "Change an organisation's name, plan or quotas."),
    "org suspend": Row("org_suspend", "Refuse an organisation's tokens from now on; its content stays."),
    "org resume": Row("org_resume", "Let a suspended organisation in again."),
    "plan": Row("", "Look after the plans that organisations' limits and quotas come from.", "plan list"),
    "plan list": Row("plan_list", "List the plans of this server, by name."),
    "plan set": Row("plan_set", "Make a plan, or change its limits and quotas."),
    "user": Row("", "Look after the people of this server.", "user list"),
    "user list": Row("user_list", "List the users of this server, newest first."),
    "user create": Row("user_create", "Make a user with a password, a member of an organisation."),
    "user invite": Row("user_invite", "Invite somebody to an organisation."),
    "user disable": Row("user_disable", "Refuse a user from now on, and end their sessions and tokens for good."),
    "user enable": Row("user_enable", "Let a disabled user in again, or one who has to wait after wrong passwords."),
    "user set-password": Row("user_set_password", "Give a user another password; their sessions and tokens end."),
    "user set-role": Row("user_set_role", "Give a member of an organisation another role."),
    "token": Row("", "Look after the tokens of this server.", "token list"),
    "token list": Row("token_list", "List an organisation's tokens, newest first."),
    "token create": Row("token_create", "Make a token for the API, printed this once."),
    "token revoke": Row("token_revoke", "End tokens: from this moment on nobody can use them."),
    "audit": Row("", "Read and prove what was done on this server.", "audit verify"),
    "audit list": Row("audit_list", "List what was done in an organisation, newest first."),
    "audit verify": Row("audit_verify", "Prove that audit logs are as they were written."),
    "file": Row("", "Look after the files that this server's organisations uploaded.", "file list"),
    "file list": Row("file_list", "List an organisation's files, newest first."),
    "file show": Row("file_show", "Show what is known of one file."),
    "file rm": Row("file_rm", "Delete files of an organisation."),
    "usage": Row("", "Look at what organisations keep and do.", "usage show"),
    "usage show": Row("usage_show", "Show what an organisation keeps and does, day by day (UTC), today as it is now."),
    "db": Row("", "Look after the platform's database.", "db upgrade --check"),
    "db upgrade": Row("db_upgrade", "Bring the platform's database to this version's schema."),
    "login": Row("login", "Sign in to a server, by a token or a password, for push, pins and files."),
    "join": Row("join", "Accept an invitation to an organisation of a server, and sign in."),
    "logout": Row("logout", "Forget the server and the token that login kept."),
    "whoami": Row("whoami", "Show which server this user is signed in to, and what the token may do."),
    "push": Row("push", "Send files and folders to a server, only what it does not have yet."),
    "pins": Row("", "Keep content on the server that you are signed in to.", "pins ls"),
    "pins add": Row("pins_add", "Ask the server to keep CIDs."),
    "pins ls": Row("pins_ls", "List the server's pin requests, newest first."),
    "pins rm": Row("pins_rm", "Take pin requests back."),
    "pins status": Row("pins_status", "Show how CIDs stand on the server: how many copies, and on which nodes."),
    "files": Row("", "Look after files on the server that you are signed in to.", "files ls"),
    "files ls": Row("files_ls", "List the server's files, newest first."),
    "files rm": Row("files_rm", "Delete files from the server."),
    "completion": Row("completion", "Print the shell completion script for bash, zsh or fish."),
}


def is_group(words: str) -> bool:
    """Whether ``words`` name a group of commands."""
    return not COMMANDS[words].module


def below(group: str) -> dict[str, str]:
    """The last word and the one line of everything directly in a group ("" is the program itself)."""
    prefix = f"{group} " if group else ""
    return {
        words[len(prefix) :]: row.line
        for words, row in COMMANDS.items()
        if words.startswith(prefix) and " " not in words[len(prefix) :]
    }
