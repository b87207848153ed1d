//! Python components on this machine: which components they are, the interpreter and packages they need, and starting
//! them.

pub mod component;
mod early;
pub mod environments;
pub mod interpreter;
pub mod packages;
pub mod task;
pub mod warm;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use penstock_spec::report::FailureCause;
use thiserror::Error;
use tokio::sync::{Mutex, OnceCell};

use self::component::{Component, ExecutorCall};
use self::early::{Early, EarlyStart};
use self::interpreter::{Interpreter, InterpreterError};
use self::packages::PackageGroup;
use self::task::PythonTask;
use self::warm::{WarmInterpreter, WarmProcess};
use crate::process::{ProcessError, ProcessSpec};

/// How Python components run.
#[derive(Debug, Clone)]
pub struct PythonSettings {
    /// The interpreter that every component is based on. When absent: `python3`, or `python3.X` for a component whose
    /// image is `python:3.X`, if that is another version and in `PATH`.
    pub python: Option<PathBuf>,
    /// Directory of cached environments.
    pub envs_dir: PathBuf,
    /// Whether the exact version of the SDK that a component was compiled with is installed for it, as on a cluster.
    /// Otherwise the base interpreter's version serves all.
    pub exact_sdk: bool,
    /// Whether interpreters are kept running and forked for each task.
    pub warm: bool,
    /// The program `uv`, which makes environments faster than `venv` and `pip` do; those serve when absent.
    pub uv: Option<PathBuf>,
}

impl PythonSettings {
    /// The usual settings, with `uv` where it is in `PATH`.
    pub fn new(python: Option<PathBuf>, envs_dir: PathBuf) -> PythonSettings {
        PythonSettings { python, envs_dir, exact_sdk: true, warm: true, uv: environments::find_uv() }
    }
}

/// An interpreter with the packages of a component.
#[derive(Debug)]
pub struct PythonEnvironment {
    python: PathBuf,
    /// Warm interpreters by whether the SDK is told that it runs in a task.
    warm: Mutex<HashMap<bool, Warm>>,
    /// One that was started before it was known that it would do.
    early: Mutex<Option<Early>>,
}

#[derive(Debug)]
enum Warm {
    Running(Arc<WarmInterpreter>),
    /// It did not start; it is not tried again.
    Unusable,
}

impl PythonEnvironment {
    fn new(python: PathBuf, early: Option<Early>) -> PythonEnvironment {
        PythonEnvironment { python, warm: Mutex::default(), early: Mutex::new(early) }
    }

    /// The interpreter.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// Directory of the interpreter and of the programs that came with packages.
    pub fn bin_dir(&self) -> Option<PathBuf> {
        self.python.parent().map(Path::to_owned)
    }
}

/// Why an environment is not to be had.
#[derive(Debug, Error)]
pub enum PythonError {
    /// No interpreter.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// Packages could not be installed.
    #[error(transparent)]
    Environment(#[from] environments::EnvironmentError),
}

impl PythonError {
    /// The kind of failure that it is for an attempt.
    pub fn cause(&self) -> FailureCause {
        match self {
            PythonError::Interpreter(_) => FailureCause::Refused,
            PythonError::Environment(error) => error.cause(),
        }
    }
}

type Shared<T> = Mutex<HashMap<String, Arc<OnceCell<Arc<T>>>>>;

/// The interpreters and environments of this machine. One value serves all runs of a process.
#[derive(Debug)]
pub struct PythonHost {
    settings: PythonSettings,
    interpreters: Shared<Interpreter>,
    environments: Shared<PythonEnvironment>,
    program: OnceCell<PathBuf>,
    early: EarlyStart,
    /// Images of which it was said that another version of Python runs their tasks.
    told: StdMutex<BTreeSet<String>>,
}

impl PythonHost {
    /// Nothing is started or looked for yet.
    pub fn new(settings: PythonSettings) -> PythonHost {
        PythonHost {
            settings,
            interpreters: Mutex::default(),
            environments: Mutex::default(),
            program: OnceCell::new(),
            told: StdMutex::default(),
            early: EarlyStart::default(),
        }
    }

    /// The interpreter that a component with this image is based on.
    pub async fn base(&self, image: &str) -> Result<Arc<Interpreter>, InterpreterError> {
        self.base_with(image, &[]).await
    }

    /// The same, for a component that is likely to ask for certain packages.
    async fn base_with(&self, image: &str, likely: &[PackageGroup]) -> Result<Arc<Interpreter>, InterpreterError> {
        let usual = self.interpreter(&self.usual_program(), likely).await;
        let Some(wanted) = interpreter::version_of_image(image) else { return usual };
        if self.settings.python.is_some() {
            return usual.inspect(|usual| self.warn_of_version(image, usual));
        }
        match usual {
            Ok(usual) if usual.minor_version() == wanted => Ok(usual),
            usual => match self.interpreter(&format!("python{wanted}"), likely).await {
                Ok(other) if other.minor_version() == wanted => Ok(other),
                _ => usual.inspect(|usual| self.warn_of_version(image, usual)),
            },
        }
    }

    /// Says once for each image that another version of Python than the image's runs its tasks.
    fn warn_of_version(&self, image: &str, used: &Interpreter) {
        let differs = interpreter::version_of_image(image).is_some_and(|wanted| wanted != used.minor_version());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if differs && told.insert(image.to_owned()) {
            let (version, program) = (used.minor_version(), used.executable().display());
            tracing::warn!("tasks of the image {image} run with Python {version} ({program}); --python names another");
        }
    }

    fn usual_program(&self) -> String {
        self.settings.python.as_ref().map_or_else(|| "python3".to_owned(), |path| path.to_string_lossy().into_owned())
    }

    async fn interpreter(&self, program: &str, likely: &[PackageGroup]) -> Result<Arc<Interpreter>, InterpreterError> {
        let cell = cell(&self.interpreters, program).await;
        cell.get_or_try_init(|| async { interpreter::probe(program, likely).await.map(Arc::new) }).await.cloned()
    }

    /// An environment with what a component asks for: the base interpreter where that has it all, otherwise a cached
    /// environment, which is made if need be.
    pub async fn environment(&self, image: &str, component: &Component) -> Result<Arc<PythonEnvironment>, PythonError> {
        let wanted = wanted_packages(component);
        self.start_early(component).await;
        let base = self.base_with(image, &wanted).await?;
        let groups = self.packages(&base, wanted);
        // Another image than a plain Python one has packages of its own, for which those of the base stand in.
        let inherit = interpreter::version_of_image(image).is_none();
        let digest = environments::digest(&base, &groups, inherit);
        let cell = cell(&self.environments, &digest).await;
        let prepare = async || -> Result<Arc<PythonEnvironment>, PythonError> {
            let early = self.early.take(base.program());
            if interpreter::satisfies(&base, &groups).await? {
                return Ok(Arc::new(PythonEnvironment::new(base.executable().to_owned(), early)));
            }
            // It lacks packages.
            drop(early);
            let (envs_dir, uv) = (&self.settings.envs_dir, self.settings.uv.as_deref());
            let python = environments::prepare(envs_dir, &digest, &base, &groups, inherit, uv).await?;
            Ok(Arc::new(PythonEnvironment::new(python, None)))
        };
        cell.get_or_try_init(|| Box::pin(prepare())).await.cloned()
    }

    fn packages(&self, base: &Interpreter, mut groups: Vec<PackageGroup>) -> Vec<PackageGroup> {
        if !self.settings.exact_sdk
            && let Some(version) = base.sdk_version()
        {
            groups.iter_mut().for_each(|group| group.pin_sdk(version));
        }
        groups
    }

    /// Starts a warm interpreter of the usual kind while it is still being found out whether that has the packages.
    async fn start_early(&self, component: &Component) {
        let Some(executor) = component.executor.as_ref().filter(|_| self.settings.warm) else { return };
        // Whatever is wrong shows again when the interpreter is needed.
        let Ok(program) = self.program().await else { return };
        self.early.start(&self.usual_program(), program, executor, &self.logs_dir());
    }

    fn logs_dir(&self) -> PathBuf {
        self.settings.envs_dir.join("logs")
    }

    /// Starts a task in a warm interpreter. `None`: there is none, and the task has to start as a process of its own.
    pub async fn start_warm(
        &self,
        environment: &PythonEnvironment,
        executor: &ExecutorCall,
        task: &PythonTask,
        spec: &ProcessSpec,
    ) -> Option<Result<WarmProcess, ProcessError>> {
        if !self.settings.warm {
            return None;
        }
        let interpreter = self.warm_interpreter(environment, executor).await?;
        if let Err(error) = task.write(spec) {
            return Some(Err(error));
        }
        match interpreter.start_task(task, spec).await {
            Ok(process) => Some(Ok(process)),
            // Nothing of the task has run yet, so another way may be taken.
            Err(ProcessError::Lost { log }) => {
                tracing::warn!("a warm Python interpreter went away, its log is {}", log.display());
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    async fn warm_interpreter(
        &self,
        environment: &PythonEnvironment,
        executor: &ExecutorCall,
    ) -> Option<Arc<WarmInterpreter>> {
        let program = self.program().await.ok()?;
        let mut warm = environment.warm.lock().await;
        match warm.get(&executor.runtime) {
            Some(Warm::Unusable) => return None,
            Some(Warm::Running(interpreter)) if interpreter.is_alive() => return Some(Arc::clone(interpreter)),
            _ => {}
        }
        let early = environment.early.lock().await.take();
        let started = match early.filter(|early| early.serves(executor)) {
            Some(early) => early.started().await,
            None => None,
        };
        let started = match started {
            Some(interpreter) => Ok(interpreter),
            None => WarmInterpreter::start(&environment.python, program, executor, &self.logs_dir()).await,
        };
        match started {
            Ok(interpreter) => {
                let interpreter = Arc::new(interpreter);
                warm.insert(executor.runtime, Warm::Running(Arc::clone(&interpreter)));
                Some(interpreter)
            }
            Err(reason) => {
                let python = environment.python.display();
                tracing::warn!("no warm interpreter for {python}, tasks start one each: {reason}");
                warm.insert(executor.runtime, Warm::Unusable);
                None
            }
        }
    }

    /// Argv of a task that gets an interpreter of its own. The executor input goes by file, so its size is not bound
    /// by what fits into an argument.
    pub async fn plain_argv(
        &self,
        environment: &PythonEnvironment,
        executor: &ExecutorCall,
        task: &PythonTask,
        spec: &ProcessSpec,
    ) -> Result<Vec<OsString>, ProcessError> {
        let program = self.program().await?;
        task.write(spec)?;
        let runtime = if executor.runtime { "runtime" } else { "full" };
        let argv = [environment.python.as_os_str(), program.as_os_str(), "--once".as_ref(), runtime.as_ref()];
        Ok(argv.into_iter().chain([task.file().as_os_str()]).map(OsString::from).collect())
    }

    /// The interpreter's program, written where interpreters can read it.
    async fn program(&self) -> Result<&PathBuf, ProcessError> {
        let envs_dir = self.settings.envs_dir.clone();
        self.program.get_or_try_init(|| async { warm::write_program(&envs_dir) }).await
    }
}

fn wanted_packages(component: &Component) -> Vec<PackageGroup> {
    let mut groups = component.packages.clone();
    let has_sdk = groups.iter().any(PackageGroup::names_sdk);
    if component.executor.is_some() && !has_sdk {
        // The image is meant to have it.
        groups.push(PackageGroup::sdk());
    }
    groups
}

async fn cell<T>(shared: &Shared<T>, key: &str) -> Arc<OnceCell<Arc<T>>> {
    Arc::clone(shared.lock().await.entry(key.to_owned()).or_default())
}
