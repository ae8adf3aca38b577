//! Seccomp: the system calls that an inventory never needs are refused with EPERM.
//!
//! A list of what is forbidden rather than of what is allowed, so that a new C library's new call never stops a fleet;
//! the unit's own filter is the list of what is allowed.

use std::{collections::BTreeMap, env};

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Calls that start programs, look into other processes, or change the machine.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
];

/// The same, which newer processors' tables no longer have.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[libc::c_long] =
    &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_mknod, libc::SYS_iopl, libc::SYS_ioperm];
/// The same, which newer processors' tables no longer have.
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[libc::c_long] = &[];

/// Why the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallsError {
    /// The filter can't be built, for example for this processor.
    #[error("the filter of system calls can't be built")]
    Build(#[from] BackendError),
    /// The kernel refused it.
    #[error("the kernel takes no filter of system calls")]
    Apply(#[from] seccompiler::Error),
}

/// Sets the filter for all threads of this process.
pub(super) fn restrict() -> Result<(), CallsError> {
    let architecture = TargetArch::try_from(env::consts::ARCH)?;
    // clone3 has its flags in memory, where a filter can't look: ENOSYS makes the C library use clone instead.
    let clone3 = BTreeMap::from([(call(libc::SYS_clone3), Vec::new())]);
    apply(clone3, libc::ENOSYS, architecture)?;

    let mut forbidden: BTreeMap<i64, Vec<SeccompRule>> =
        FORBIDDEN.iter().chain(FORBIDDEN_HERE).map(|number| (call(*number), Vec::new())).collect();
    // A clone that makes no thread makes a process.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let makes_process = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
    forbidden.insert(call(libc::SYS_clone), vec![SeccompRule::new(vec![makes_process])?]);
    apply(forbidden, libc::EPERM, architecture)
}

/// A call's number in the type that the filter wants, which some targets have already.
#[expect(clippy::useless_conversion, reason = "c_long is narrower on 32-bit targets")]
fn call(number: libc::c_long) -> i64 {
    i64::from(number)
}

fn apply(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    error: libc::c_int,
    architecture: TargetArch,
) -> Result<(), CallsError> {
    let refusal = SeccompAction::Errno(error.unsigned_abs());
    let program: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture)?.try_into()?;
    Ok(seccompiler::apply_filter_all_threads(&program)?)
}
