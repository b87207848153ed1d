//! What Pods of a run wait for that another process drives. Only the driving process is told; the cluster tells everybody
//! who can reach it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use penstock_driver::{PodStanding, pod_standings};
use penstock_engine::{NodeId, RunState};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::{RunInfo, TaskStatus};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster;
use crate::context::Context;
use crate::waiting::Waiting;

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest, where the cluster does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Looks that find no Pod of an attempt before that is worth a word: what is known of the run may be a moment older.
const LOOKS_WITHOUT: u32 = 2;

/// Where the Pods of a run are. Attempts without one are not in it.
type Standings = HashMap<AttemptRef, PodStanding>;

/// Attempts that ought to run.
fn at_work(state: &RunState) -> Vec<(NodeId, AttemptRef)> {
    let Some(run_id) = state.info().map(|info| info.id) else { return Vec::new() };
    let running = state.nodes().filter(|view| view.status == TaskStatus::Running);
    let attempts = running.filter_map(|view| {
        let attempt = AttemptRef { run_id, task_id: view.task_id()?, attempt: view.attempt? };
        Some((view.id, attempt))
    });
    attempts.collect()
}

/// What attempts wait for. `is_known_absent`: whether it is sure that one without a Pod has none.
fn waiting(
    state: &RunState,
    namespace: &str,
    standings: &Standings,
    mut is_known_absent: impl FnMut(&AttemptRef) -> bool,
) -> Waiting {
    let reason = |(node, attempt): (NodeId, AttemptRef)| match standings.get(&attempt) {
        Some(PodStanding::Waits(reason)) => Some((node, reason.clone())),
        Some(PodStanding::Started) => None,
        Some(PodStanding::Absent) | None if is_known_absent(&attempt) => {
            Some((node, format!("there is no Pod of it in namespace {namespace} yet")))
        }
        Some(PodStanding::Absent) | None => None,
    };
    at_work(state).into_iter().filter_map(reason).collect()
}

/// One look at the Pods of a run.
pub(crate) struct Glance {
    standings: Standings,
    namespace: String,
    /// Attempts that ought to have run already when it was taken.
    expected: HashSet<AttemptRef>,
}

impl Glance {
    /// Looks, for a bounded time.
    pub(crate) async fn take(context: &Context, run: &RunInfo, state: &RunState) -> anyhow::Result<Glance> {
        let expected = at_work(state).into_iter().map(|(_, attempt)| attempt).collect();
        let cluster = cluster::connect(&context.cluster, Some(&run.namespace)).await?;
        let standings = pod_standings(cluster.client, run, LIMIT).await?;
        Ok(Glance { standings, namespace: run.namespace.clone(), expected })
    }

    /// What attempts wait for, by a state that was read after the look.
    pub(crate) fn waiting(&self, state: &RunState) -> Waiting {
        waiting(state, &self.namespace, &self.standings, |attempt| self.expected.contains(attempt))
    }
}

/// Looks at the Pods of a run again and again, until it is dropped.
pub(crate) struct PodLook {
    namespace: String,
    seen: watch::Receiver<(u32, Standings)>,
    task: JoinHandle<()>,
    /// Attempts without a Pod, and how many looks there had been when that was first seen.
    without: HashMap<AttemptRef, u32>,
}

impl PodLook {
    /// Begins.
    pub(crate) fn start(context: &Context, run: RunInfo) -> PodLook {
        let (say, seen) = watch::channel((0_u32, Standings::new()));
        let (namespace, arguments) = (run.namespace.clone(), context.cluster.clone());
        let task = tokio::spawn(async move {
            let mut pause = PAUSE;
            let client = match cluster::connect(&arguments, Some(&run.namespace)).await {
                Ok(cluster) => cluster.client,
                Err(error) => {
                    tracing::debug!(error = %error, "what Pods wait for is not shown: there is no cluster to be asked");
                    return;
                }
            };
            loop {
                match pod_standings(client.clone(), &run, LIMIT).await {
                    Ok(standings) => {
                        say.send_modify(|seen| *seen = (seen.0.saturating_add(1), standings));
                        pause = PAUSE;
                    }
                    Err(error) => {
                        tracing::debug!(error = %error, "what Pods wait for may be out of date");
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                tokio::time::sleep(pause).await;
            }
        });
        PodLook { namespace, seen, task, without: HashMap::new() }
    }

    /// What attempts wait for, as far as it is known.
    pub(crate) fn waiting(&mut self, state: &RunState) -> Waiting {
        let seen = self.seen.borrow();
        let (looks, standings) = &*seen;
        if *looks == 0 {
            return Waiting::new();
        }
        let mut without = HashMap::new();
        let waiting = waiting(state, &self.namespace, standings, |attempt| {
            let since = self.without.get(attempt).copied().unwrap_or(*looks);
            without.insert(attempt.clone(), since);
            looks.saturating_sub(since) >= LOOKS_WITHOUT
        });
        drop(seen);
        self.without = without;
        waiting
    }
}

impl Drop for PodLook {
    fn drop(&mut self) {
        self.task.abort();
    }
}
