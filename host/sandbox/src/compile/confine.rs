//! What a compiling child may not: more processor time and memory than its bounds, and everything else that is not computing.
//! Bounds come from the kernel's resource limits; the rest is a list of system calls that a compiler needs, and every other one
//! is refused. The list has no call that opens, connects, executes or signals, so there is no file and no network either.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

use wardkeep_model::CompileLimits;

/// A child that could not bound itself. It compiles nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("the compiling child cannot bound its {what}: {error}")]
    Bound { what: &'static str, error: io::Error },
    #[error("the process that asked for this is gone")]
    Orphan,
    #[cfg(target_os = "linux")]
    #[error("the compiling child cannot close itself in with seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
    #[cfg(target_os = "linux")]
    #[error("the compiling child's list of system calls is wrong: {0}")]
    List(#[from] seccompiler::BackendError),
}

/// Sets the bounds. Before the bytes are read, and before any thread is started.
pub(crate) fn bound(limits: &CompileLimits, parent: u32) -> Result<(), ConfineError> {
    let seconds = limits.time.as_secs().max(1);
    // The soft limit's signal names what ended it; the hard one comes a second later to one that is deaf.
    limit("processor time", Resource::Cpu, seconds, seconds.saturating_add(1))?;
    // Not the address space: the engine reserves terabytes of it that it never touches.
    limit("memory", Resource::Data, limits.memory, limits.memory)?;
    // It cannot open a file, but memory files are files.
    limit("files", Resource::Fsize, limits.memory, limits.memory)?;
    limit("descriptors", Resource::Nofile, 64, 64)?;
    limit("core dumps", Resource::Core, 0, 0)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
        let of = |what| move |error: rustix::io::Errno| ConfineError::Bound { what, error: error.into() };
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(of("dumps"))?;
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(of("life"))?;
        // If memory runs out altogether, the one to go first. Not everywhere allowed, and not needed.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    // It may have died before the line above.
    let now = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    if u32::try_from(now) != Ok(parent) {
        return Err(ConfineError::Orphan);
    }
    // Who serves goes before who compiles. Not everywhere allowed, and not needed.
    let _ = rustix::process::nice(5);
    Ok(())
}

fn limit(what: &'static str, resource: Resource, soft: u64, hard: u64) -> Result<(), ConfineError> {
    let set = setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) });
    set.map_err(|error| ConfineError::Bound { what, error: error.into() })
}

/// Refuses, from now on and in every thread, all that is not computing.
#[cfg(target_os = "linux")]
pub(crate) fn close() -> Result<(), ConfineError> {
    use std::collections::BTreeMap;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let install = |rules, otherwise, matching| -> Result<(), ConfineError> {
        let program: BpfProgram = SeccompFilter::new(rules, otherwise, matching, arch)?.try_into()?;
        Ok(apply_filter_all_threads(&program)?)
    };
    // `clone3` has its flags in memory, where a filter cannot read them. Told that there is no such call, the C library uses
    // `clone`. This answer has to come from a filter of its own: a filter knows one answer for what it refuses.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    install(clone3, SeccompAction::Allow, SeccompAction::Errno(errno(libc::ENOSYS)))?;
    let mut allowed = list::allowed()?;
    allowed.insert(libc::SYS_clone3, Vec::new());
    install(allowed, SeccompAction::Errno(errno(libc::EPERM)), SeccompAction::Allow)
}

#[cfg(target_os = "linux")]
fn errno(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(1)
}

/// Elsewhere the resource limits have to do: docs/decisions/004 says so.
#[cfg(not(target_os = "linux"))]
pub(crate) fn close() -> Result<(), ConfineError> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod list {
    use std::collections::BTreeMap;

    use seccompiler::{
        BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCmpOp::Eq, SeccompCondition, SeccompRule,
    };

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// Memory, threads, clocks, the pipes that are open. Names that every architecture has.
    const PLAIN: [i64; 37] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_membarrier,
        libc::SYS_memfd_create,
        libc::SYS_ftruncate,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_set_tid_address,
        libc::SYS_rseq,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getrusage,
        libc::SYS_sysinfo,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
    ];

    pub(super) fn allowed() -> Result<Rules, BackendError> {
        let mut rules: Rules = PLAIN.into_iter().map(|call| (call, Vec::new())).collect();
        rules.insert(libc::SYS_sigaltstack, Vec::new());
        // The runtime sleeps on its own waker: it is there before the door closes, and nothing can be added to it after (`epoll_ctl`).
        rules.insert(libc::SYS_epoll_pwait, Vec::new());
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_epoll_wait, Vec::new());
        let thread = number(libc::CLONE_THREAD);
        // A thread, never a process.
        rules.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
        // Its own memory files, never an owner to be signalled.
        let commands = [libc::F_GETFD, libc::F_GETFL, libc::F_ADD_SEALS, libc::F_GET_SEALS];
        rules.insert(libc::SYS_fcntl, any(1, commands)?);
        // The name of a thread, and of memory.
        rules.insert(libc::SYS_prctl, any(0, [libc::PR_SET_NAME, libc::PR_SET_VMA])?);
        // To abort: itself, never another.
        let own = number(std::process::id().try_into().unwrap_or(i32::MAX));
        rules.insert(libc::SYS_tgkill, vec![when(0, Eq, own)?]);
        // To ask for its own limits; what is beyond the hard ones is beyond reach.
        rules.insert(libc::SYS_prlimit64, vec![when(0, Eq, 0)?]);
        Ok(rules)
    }

    fn number(value: i32) -> u64 {
        u64::from(value.unsigned_abs())
    }

    fn when(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(argument, Dword, compare, value)?])
    }

    fn any<const N: usize>(argument: u8, values: [i32; N]) -> Result<Vec<SeccompRule>, BackendError> {
        values.into_iter().map(|value| when(argument, Eq, number(value))).collect()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn no_call_on_the_list_opens_connects_executes_or_reaches_another_process() {
        let allowed = list::allowed().unwrap();
        for refused in [
            libc::SYS_epoll_ctl,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_sendto,
            libc::SYS_sendmsg,
            libc::SYS_io_uring_setup,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_ioctl,
            libc::SYS_bpf,
            libc::SYS_userfaultfd,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_unlinkat,
            libc::SYS_renameat2,
            libc::SYS_keyctl,
        ] {
            assert!(!allowed.contains_key(&refused), "system call {refused}");
        }
    }
}
