//! One module for each command.

pub(crate) mod cache;
pub(crate) mod completion;
pub(crate) mod cp;
pub(crate) mod doctor;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod stop;
pub(crate) mod up;
pub(crate) mod watch;
