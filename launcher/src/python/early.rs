//! A warm interpreter that starts while it is still being found out whether it will do. Loading the SDK takes about as
//! long as looking at the interpreter's packages, and the first task waits for both.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::component::ExecutorCall;
use super::warm::WarmInterpreter;

/// The one interpreter of a process that starts early: the first that is needed.
#[derive(Debug, Default)]
pub(super) struct EarlyStart {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    NotNeededYet,
    Started(Early),
    Taken,
}

/// An interpreter that is on its way. Dropping it ends the interpreter.
#[derive(Debug)]
pub(super) struct Early {
    python: String,
    executor: ExecutorCall,
    starting: JoinHandle<Result<WarmInterpreter, String>>,
}

impl EarlyStart {
    /// Starts an interpreter, unless one was started before.
    pub(super) fn start(&self, python: &str, program: &Path, executor: &ExecutorCall, log_dir: &Path) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::NotNeededYet) {
            return;
        }
        let (program, log_dir) = (program.to_owned(), log_dir.to_owned());
        let (path, call) = (python.to_owned(), executor.clone());
        let starting =
            tokio::spawn(async move { WarmInterpreter::start(Path::new(&path), &program, &call, &log_dir).await });
        *state = State::Started(Early { python: python.to_owned(), executor: executor.clone(), starting });
    }

    /// Hands the interpreter over, if it was started by this name. Another one is of no use any more and is ended.
    pub(super) fn take(&self, python: &str) -> Option<Early> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Started(early) if early.python == python => Some(early),
            State::Started(_) | State::NotNeededYet | State::Taken => None,
        }
    }
}

impl Early {
    /// Whether a task with this call can be forked from it.
    pub(super) fn serves(&self, executor: &ExecutorCall) -> bool {
        self.executor.runtime == executor.runtime && self.executor.module == executor.module
    }

    /// The interpreter once it is ready; none if it did not start.
    pub(super) async fn started(mut self) -> Option<WarmInterpreter> {
        match (&mut self.starting).await {
            Ok(Ok(interpreter)) => Some(interpreter),
            // Whoever needs it starts another and says what is wrong.
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        self.starting.abort();
    }
}
