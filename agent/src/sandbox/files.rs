//! Landlock: reading stays as it was, writing is left in the state folder alone, listening and executing nowhere.

use std::path::Path;

use landlock::{
    ABI, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};

/// The newest rules that are asked for; an older kernel applies those that it knows.
const RULES: ABI = ABI::V5;

/// Why the rules can't be set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    /// The kernel refused them.
    #[error("the kernel takes no landlock rules")]
    Rules(#[from] RulesetError),
    /// A folder that should stay writable can't be opened.
    #[error("a folder of the agent can't be opened")]
    Folder(#[from] PathFdError),
}

/// Sets the rules for this thread and all that it will start; says in words what holds now.
pub(super) fn restrict(state: &Path, token: Option<&Path>) -> Result<&'static str, FilesError> {
    let changes: BitFlags<AccessFs> = AccessFs::from_write(RULES) | AccessFs::Execute;
    let mut rules = Ruleset::default()
        .handle_access(changes)?
        .handle_access(AccessNet::BindTcp)?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(state)?, AccessFs::from_write(RULES)))?;
    if let Some(folder) = token.filter(|token| token.exists()).and_then(Path::parent) {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(folder)?, AccessFs::RemoveFile))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => {
            "writes in the state folder alone, executes nothing, listens on no port (landlock)"
        }
        RulesetStatus::PartiallyEnforced => {
            "writes in the state folder alone, as far as this kernel's older landlock can tell"
        }
        RulesetStatus::NotEnforced => "not in force: this kernel has no landlock, or it is switched off",
    })
}
