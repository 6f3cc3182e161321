"""Use the library as on a system that lacks what only Linux has: simulated, in its own process.

``python -m tests.tools.elsewhere windows`` imports what others have written, takes away the
attributes of ``os`` and ``signal`` that Python's documentation says are not there, closes ``/proc``
and hides torch's OpenMP; then it imports both packages whole and uses them. It prints what was
warned of.
"""

import builtins
import ctypes
import errno
import importlib
import io
import os
import pkgutil
import signal
import sys
import warnings

# Python 3.11's documentation of os and signal, "Availability".
UNIX = """
chflags chown chroot confstr ctermid eventfd eventfd_read eventfd_write fchdir fchmod fchown
fdatasync fork forkpty fpathconf fstatvfs getegid geteuid getgid getgrouplist getgroups getloadavg
getpgid getpgrp getpriority getresgid getresuid getsid getuid getxattr grantpt initgroups killpg
lchflags lchmod lchown listxattr lockf login_tty major makedev memfd_create minor mkfifo mknod nice
openpty pathconf pidfd_open pipe2 plock posix_fadvise posix_fallocate posix_openpt posix_spawn
posix_spawnp pread preadv ptsname pwrite pwritev readv register_at_fork removexattr
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setparam sched_setscheduler sched_yield sendfile
setegid seteuid setgid setgroups setns setpgid setpriority setregid setresgid setresuid setreuid
setsid setuid setxattr splice statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname unlockpt
unshare wait wait3 wait4 waitid writev
"""
UNIX_SIGNALS = """
SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT
SIGRTMAX SIGRTMIN SIGSTKFLT SIGSTOP SIGSYS SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2
SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ alarm getitimer pause pthread_kill pthread_sigmask setitimer
siginterrupt sigpending sigtimedwait sigwait sigwaitinfo
"""
LINUX = """
eventfd eventfd_read eventfd_write getrandom getresgid getresuid getxattr listxattr memfd_create
pidfd_open pipe2 posix_fadvise posix_fallocate removexattr sched_getaffinity sched_getparam
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setparam sched_setscheduler setns
setresgid setresuid setxattr splice unshare
"""
LINUX_SIGNALS = "SIGCLD SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo"
MISSING = {
    "windows": (UNIX, UNIX_SIGNALS, "fcntl grp posix pty pwd readline resource syslog termios tty"),
    "macos": (LINUX, LINUX_SIGNALS, ""),
}

# What others have written, and must not find their own system gone halfway.
OTHERS = """
matplotlib.pyplot numba numpy PIL.Image rich.console safetensors.torch scipy.linalg
sklearn.datasets sympy torch torch.distributed.tensor torch.optim torchmetrics triton
triton.language triton.runtime.interpreter typer.testing
"""


def close_proc() -> None:
    """Let no file below /proc be found."""

    def closed(function):
        def call(path, *args, **kwargs):
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith("/proc"):
                raise FileNotFoundError(errno.ENOENT, "closed", path)
            return function(path, *args, **kwargs)

        return call

    builtins.open = io.open = closed(io.open)
    os.stat, os.open = closed(os.stat), closed(os.open)


def hide_openmp(system: str) -> None:
    """Let torch's OpenMP not be found: under no name of Linux, and in no whole process."""
    library = ctypes.CDLL

    def find(name, *args, **kwargs):
        if name is None and system == "windows":
            msg = "argument must be str, not None"
            raise TypeError(msg)
        if name is None:
            return object()
        if str(name).endswith(".so"):
            raise OSError(name)
        return library(name, *args, **kwargs)

    ctypes.CDLL = find


def use_everything() -> None:
    """Import every module; take steps on one thread and on two; certify; ask for help."""
    import torch
    from typer.testing import CliRunner

    import cdg_theory
    import cdg_torch
    from tests.tools.without import always

    for package in (cdg_theory, cdg_torch):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    always()
    g = torch.randn(64, 9000, generator=torch.Generator().manual_seed(0))
    metric = cdg_torch.Metric(1.0, 0.5, 0.2)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(cdg_torch.riemannian_gradient(g, metric))
    assert torch.equal(*results)

    def solve(g):
        return cdg_theory.discrete.riemannian_gradient(g, metric)

    assert cdg_theory.certify(solve, metric, 8, columns=4).holds
    from cdg_torch.lab.bench.measurements import Machine
    from cdg_torch.lab.cli import app
    from cdg_torch.lab.train.harness import default_workers

    assert default_workers() >= 1
    assert Machine.here().threads == 2
    for command in ([], ["verify"], ["demo"], ["train"], ["report"], ["correlation"], ["bench"]):
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0, shown.output


def main(system: str) -> None:
    for name in OTHERS.split():
        importlib.import_module(name)
    of_os, of_signal, modules = MISSING[system]
    for module, names in ((os, of_os), (signal, of_signal)):
        for name in names.split():
            vars(module).pop(name, None)
    for name in modules.split():
        sys.modules[name] = None
    close_proc()
    hide_openmp(system)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use_everything()
    from cdg_torch.solve.cpu import threads

    assert threads._parallel() is None
    sys.stdout.write("\n".join(str(w.message) for w in caught))


if __name__ == "__main__":
    main(sys.argv[1])
