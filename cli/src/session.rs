//! Drives a run in this process and shows it until its end; also shows runs that another process drives.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use penstock_driver::{DriveError, Driver, RunControl};
use penstock_engine::RunState;
use penstock_spec::run::RunStatus;

use crate::abandoned::DriverWatch;
use crate::args::{OutputFormat, ProgressArgs};
use crate::context::Context;
use crate::failure;
use crate::feed::Feed;
use crate::json::RunDocument;
use crate::live;
use crate::pod_look::PodLook;
use crate::progress::{Progress, Stream};
use crate::signals::{Request, Signals};
use crate::summary::Summary;
use crate::waiting::{self, Waiting};

/// Longest time that killing everything may take before this process ends regardless.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// What to do about a run that another process drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// Say so, and leave it alone.
    Refuse,
    /// Show it: a server of this data directory may take up a new run before the process that made it.
    Watch,
}

/// Drives the run to its end, shows its progress, prints the result. Ctrl-C cancels the run, a second one kills
/// everything at once and leaves the run to be resumed.
pub(crate) async fn drive(
    context: &Context,
    driver: &Driver,
    mut feed: Feed,
    args: &ProgressArgs,
    elsewhere: Elsewhere,
) -> anyhow::Result<ExitCode> {
    let run = feed.run();
    let control = RunControl::new();
    let mut progress = Progress::new(context, args);
    let waiting = |state: &RunState| waiting::of_tasks(state, driver.waiting_reasons(run));
    let end = follow(driver.drive(run, control.clone()), waiting, &control, &mut feed, &mut progress).await?;
    let caught_up = feed.catch_up(|state, fact| progress.fact(state, fact)).await;
    progress.end(feed.state());
    match end {
        Ok(_) => {
            caught_up?;
            finish(context, &feed, args, args.quiet).await
        }
        Err(DriveError::Aborted(_)) => {
            if args.output == OutputFormat::Json {
                RunDocument::new(feed.info(), feed.options(), feed.state()).print();
            }
            Stream::Err.print(&format!("stopped at once; go on with: penstock run --resume {run}\n"));
            Ok(ExitCode::from(failure::CANCELED))
        }
        Err(DriveError::Owned { .. }) if elsewhere == Elsewhere::Watch => watch(context, feed, args).await,
        Err(error) => Err(error.into()),
    }
}

/// Shows progress while something goes on.
async fn follow<T>(
    work: impl Future<Output = T>,
    waiting: impl Fn(&RunState) -> Waiting,
    control: &RunControl,
    feed: &mut Feed,
    progress: &mut Progress,
) -> anyhow::Result<T> {
    let mut signals = Signals::new()?;
    let mut work = pin!(work);
    let mut requests = 0;
    loop {
        let news = tokio::select! {
            end = &mut work => return Ok(end),
            news = feed.tick() => news,
            request = signals.next() => {
                requests += if request == Request::HangUp { 2 } else { 1 };
                match requests {
                    1 => {
                        control.cancel("interrupted");
                        progress.say("cancelling; Ctrl-C again stops at once");
                    }
                    2 | 3 => {
                        control.abort();
                        spawn_last_resort();
                    }
                    _ => leave(),
                }
                false
            }
        };
        if news {
            feed.read(|state, fact| progress.fact(state, fact)).await?;
        }
        progress.draw(feed.state(), &waiting(feed.state()));
    }
}

/// Shows a run that another process drives, until it ends or the user has seen enough.
pub(crate) async fn watch(context: &Context, mut feed: Feed, args: &ProgressArgs) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new(context, args);
    let mut signals = Signals::new()?;
    feed.catch_up(|state, fact| progress.fact(state, fact)).await?;
    // A server knows who drives its runs, and its cluster is not ours to look at.
    let is_here = feed.client().is_none();
    let mut driver = is_here.then(|| DriverWatch::new(context));
    let mut pods = (is_here && feed.on_kubernetes()).then(|| PodLook::start(context, feed.info().clone()));
    while !feed.state().status().is_final() {
        tokio::select! {
            news = feed.tick() => {
                if news {
                    feed.read(|state, fact| progress.fact(state, fact)).await?;
                }
                let waiting = pods.as_mut().map(|pods| pods.waiting(feed.state()));
                progress.draw(feed.state(), &waiting.unwrap_or_default());
                if let Some(driver) = &mut driver
                    && let Err(nobody) = driver.check(&feed).await
                {
                    progress.end(feed.state());
                    return Err(nobody);
                }
            }
            _ = signals.next() => {
                progress.end(feed.state());
                Stream::Err.print("no longer watching; the run is not affected\n");
                return Ok(ExitCode::from(failure::SUCCEEDED));
            }
        }
    }
    progress.end(feed.state());
    finish(context, &feed, args, args.quiet).await
}

/// Prints the result of a run that has ended and returns the exit code that stands for it. `with_verdict` if nothing
/// that was shown before says how it ended.
pub(crate) async fn finish(
    context: &Context,
    feed: &Feed,
    args: &ProgressArgs,
    with_verdict: bool,
) -> anyhow::Result<ExitCode> {
    match args.output {
        OutputFormat::Json => {
            let document = RunDocument::new(feed.info(), feed.options(), feed.state());
            document.with_remarks(feed.remarks().await).print();
        }
        OutputFormat::Text => {
            let summary = Summary::gather(context, feed).await;
            Stream::Out.print(&summary.text(context.color_out, with_verdict));
        }
    }
    Ok(ExitCode::from(exit_code(feed.state().status())))
}

/// The exit code that stands for a run's end.
pub(crate) fn exit_code(status: RunStatus) -> u8 {
    match status {
        RunStatus::Succeeded | RunStatus::Skipped => failure::SUCCEEDED,
        RunStatus::Canceled | RunStatus::Canceling => failure::CANCELED,
        RunStatus::Failed | RunStatus::Pending | RunStatus::Running | RunStatus::Paused => failure::FAILED,
    }
}

/// If killing takes too long, this process ends all the same; what it leaves is dealt with by the next resume.
fn spawn_last_resort() {
    tokio::spawn(async {
        tokio::time::sleep(ABORT_LIMIT).await;
        leave();
    });
}

fn leave() -> ! {
    live::restore_cursor();
    std::process::exit(i32::from(failure::CANCELED))
}
