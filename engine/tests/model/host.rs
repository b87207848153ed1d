//! A host that plays the world: it answers effects in any order, twice, late and wrongly, loses attempts, crashes
//! after any fact, and checks on the way what holds for every run.

mod answers;
mod crash;
mod noise;
mod rerun;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use penstock_engine::{Effect, Event, Fact, NodeId, RunState, Step, Timer};
use penstock_spec::Timestamp;
use penstock_spec::plan::Plan;
use penstock_spec::run::{RunInfo, RunStatus};
use uuid::Uuid;

use crate::case::Case;
use crate::compare::{compare, inputs_of};
use crate::expected::{Expected, Priors};
use crate::features::Features;
use crate::naive::{Naive, Wrong};
use crate::observer::{Limits, Observer};
use crate::outline;

/// Turns after which a run is taken for one that never ends.
const MOST_TURNS: usize = 20_000;
/// Rounds of a run.
const MOST_ROUNDS: usize = 3;

/// A wrong way to be a host, for tests of what finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Forgets to carry out an effect.
    LosesEffects,
    /// Loses a fact in the middle of the log.
    LosesFacts,
    /// Judges by a capacity that is lower than the one it sets.
    LowerCapacity,
    /// Judges by limits of loops that are lower than those of the pipeline.
    LowerParallelism,
    /// Takes up a run with the effects of its log, but does not resume it.
    DoesNotResume,
    /// Tells the same attempt twice, under different numbers.
    CountsTwice,
}

pub(crate) fn run_info() -> RunInfo {
    let start = Timestamp::UNIX_EPOCH;
    RunInfo {
        id: Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888),
        name: "test-x7k2p".to_owned(),
        display_name: "A test".to_owned(),
        pipeline_name: "test".to_owned(),
        namespace: String::new(),
        pipeline_root: "s3://bucket/root".to_owned(),
        created_at: start,
        scheduled_at: start,
        caching: true,
        workspace: None,
    }
}

/// Decisions, one after the other; zeros when they are used up.
pub(crate) struct Tape<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl Tape<'_> {
    fn next(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.next()) % end.max(1)
    }
}

pub(crate) struct Host<'a> {
    case: &'a Case,
    state: RunState,
    observer: Observer<'a>,
    /// What each round of the run should come to.
    expected: Vec<Rc<Expected>>,
    log: Vec<(Fact, Timestamp)>,
    now: Timestamp,
    in_flight: Vec<Effect>,
    plans: BTreeMap<(NodeId, u32), Plan>,
    cache_keys: BTreeMap<(NodeId, usize), String>,
    /// Events of this round.
    history: Vec<Event>,
    /// Reports of all rounds.
    reports: Vec<Event>,
    tape: Tape<'a>,
    capacity: u32,
    features: &'a std::cell::RefCell<Features>,
    wrong: Option<Wrong>,
    broken: Option<Broken>,
}

pub(crate) type Judged = Result<(), String>;

/// Runs a case; the error says what is wrong with the engine.
pub(crate) fn run(
    case: &Case,
    features: &std::cell::RefCell<Features>,
    wrong: Option<Wrong>,
    broken: Option<Broken>,
) -> Judged {
    let capacity = match case.troubles[0] % 4 {
        3 => 1 + u32::from(case.troubles[0] / 4 % 3),
        _ => u32::MAX,
    };
    let mut state = RunState::new(case.pipeline.clone());
    state.set_capacity(capacity);
    let mut host = Host {
        case,
        state,
        observer: Observer::new(&case.spec),
        expected: Vec::new(),
        log: Vec::new(),
        now: Timestamp::UNIX_EPOCH,
        in_flight: Vec::new(),
        plans: BTreeMap::new(),
        cache_keys: BTreeMap::new(),
        history: Vec::new(),
        reports: Vec::new(),
        tape: Tape { bytes: case.schedule.iter() },
        capacity,
        features,
        wrong,
        broken,
    };
    host.run().map_err(|reason| {
        format!("{reason}\nin round {} after these facts:\n{}", host.observer.round, shown(&host.log))
    })
}

impl<'a> Host<'a> {
    fn note(&self, feature: &'static str) {
        self.features.borrow_mut().note(feature);
    }

    fn run(&mut self) -> Judged {
        self.expect(&Priors::default());
        self.send(Event::Start { run: run_info(), parameters: self.case.parameters.clone() })?;
        for round in 0..MOST_ROUNDS {
            let mut turns = 0;
            while !self.state.status().is_final() {
                self.turn()?;
                turns += 1;
                if turns > MOST_TURNS {
                    return Err("the run does not end".to_owned());
                }
            }
            self.check_end()?;
            let goes_on = usize::from(self.case.troubles[6] % 4) > round;
            let from = self.named(round);
            let (began, succeeded) = (self.state.node_count() > 1, self.state.status() == RunStatus::Succeeded);
            if !began || succeeded {
                self.changes_nothing(&Event::Retry)?;
            }
            self.starts_nothing_void_anew()?;
            let can = began && !(succeeded && from.is_empty());
            if !can || !goes_on || round + 1 == MOST_ROUNDS {
                break;
            }
            self.note_rerun(&from)?;
            self.expect(&self.observer.priors(&from));
            self.history.clear();
            self.send(if from.is_empty() { Event::Retry } else { Event::RetryFrom { from } })?;
        }
        self.check_forks()
    }

    fn expect(&mut self, prior: &Priors) {
        let naive = Naive { case: self.case, prior, wrong: self.wrong, features: self.features };
        self.expected.push(Rc::new(naive.run()));
    }

    fn check_end(&mut self) -> Judged {
        if self.observer.limited {
            self.note("loop at its limit");
        }
        self.note(match (self.state.status(), self.observer.stopping) {
            (RunStatus::Succeeded, _) => "run succeeded",
            (RunStatus::Failed, false) => "run failed",
            (RunStatus::Failed, true) => "run over its time",
            _ => "run canceled",
        });
        self.check_fold()?;
        let expected = self.expected.get(self.observer.round).ok_or("a round that nobody asked for")?;
        compare(&self.state, &self.observer, expected)?;
        if !penstock_engine::outstanding(&self.state).is_empty() {
            return Err("a run that ended still waits for something".to_owned());
        }
        for event in self.reports.clone().iter().chain(&self.history.clone()) {
            self.changes_nothing(event)?;
        }
        self.changes_nothing(&Event::Terminate { reason: "late".to_owned() })
    }

    /// One thing happens.
    fn turn(&mut self) -> Judged {
        let troubles = self.case.troubles;
        match self.tape.next() {
            176..=199 if troubles[1] % 2 == 1 => self.repeat(),
            200..=215 if troubles[2] % 2 == 1 => self.foreign(),
            216..=227 if troubles[3] % 2 == 1 => self.crash(),
            228..=237 if troubles[3] % 4 > 1 => {
                let keep = self.tape.next();
                self.answer(Some(keep))
            }
            238..=241 if troubles[4] % 4 == 3 && !self.observer.stopping => {
                self.note("cancel");
                let torn = Some(self.tape.next()).filter(|keep| keep % 4 == 3);
                self.deliver(Event::Terminate { reason: "asked".to_owned() }, torn)
            }
            _ => self.answer(None),
        }
    }

    /// Answers one effect; its commit is torn if `torn` says so.
    fn answer(&mut self, torn: Option<u8>) -> Judged {
        let in_time = |effect: &Effect| !matches!(effect, Effect::SetTimer { timer: Timer::RunDeadline, .. });
        if !self.in_flight.iter().any(in_time) {
            let open = self.observer.nodes.iter().filter(|node| !node.status.is_final());
            let open: Vec<&str> = open.map(|node| node.path.as_str()).collect();
            return Err(format!("the run is stuck: {open:?} have not ended and nothing is in flight"));
        }
        let chosen = self.tape.below(self.in_flight.len());
        let mut chosen = self.in_flight.get(chosen).cloned().ok_or("no such effect")?;
        if !in_time(&chosen) && self.tape.next() % 8 != 7 {
            chosen = self.in_flight.iter().find(|it| in_time(it)).cloned().ok_or("no such effect")?;
        }
        let event = self.event_of(&chosen)?;
        self.in_flight.retain(|effect| *effect != chosen);
        let repeats = self.tape.next() % 16 == 15;
        self.deliver(event.clone(), torn)?;
        if repeats && torn.is_none() {
            self.note("repeated event");
            self.changes_nothing(&event)?;
        }
        Ok(())
    }

    fn send(&mut self, event: Event) -> Judged {
        self.deliver(event, None)
    }

    /// Gives the engine an event and commits what it decides, or a part of that if it dies while it commits.
    fn deliver(&mut self, event: Event, torn: Option<u8>) -> Judged {
        self.now = self.now.checked_add(Duration::from_millis(1)).map_err(|error| error.to_string())?;
        let step = self.state.step(event.clone(), self.now);
        if let Some(keep) = torn {
            self.note("crash within a commit");
            let keep = usize::from(keep) % (step.facts.len() + 1);
            self.commit(&step.facts[..keep])?;
            return self.recover();
        }
        match &event {
            Event::TaskReported { .. } | Event::TaskLost { .. } => self.reports.push(event),
            Event::CacheAnswered { .. } | Event::ImportAnswered { .. } => self.history.push(event),
            Event::TimerDue { timer: Timer::Retry { .. } } => self.history.push(event),
            _ => {}
        }
        self.take(step)
    }

    fn take(&mut self, step: Step) -> Judged {
        self.commit(&step.facts)?;
        let started = step.facts.iter().filter(|fact| matches!(fact, Fact::AttemptStarted { .. })).count();
        let effects = step.effects.iter().filter(|effect| matches!(effect, Effect::StartAttempt { .. })).count();
        if started != effects {
            return Err(format!("{started} attempts start, and {effects} are asked for"));
        }
        for effect in step.effects {
            self.check_effect(&effect)?;
            if self.broken == Some(Broken::LosesEffects) && matches!(effect, Effect::SetTimer { .. }) {
                continue;
            }
            self.in_flight.retain(|other| !replaces(&effect, other));
            self.in_flight.push(effect);
        }
        self.forget(&step.facts);
        Ok(())
    }

    fn commit(&mut self, facts: &[Fact]) -> Judged {
        let limits = Limits {
            capacity: self.capacity.saturating_sub(u32::from(self.broken == Some(Broken::LowerCapacity))),
            stricter: u32::from(self.broken == Some(Broken::LowerParallelism)),
        };
        for fact in facts {
            self.log.push((fact.clone(), self.now));
            self.observer.see(fact, limits)?;
        }
        if self.observer.running() == self.capacity {
            self.note("all capacity in use");
        }
        Ok(())
    }

    /// What is asked for is what should be, whenever it is asked for.
    fn check_effect(&mut self, effect: &Effect) -> Judged {
        match effect {
            Effect::StartAttempt { node, plan } => {
                let known = self.plans.entry((*node, plan.task.attempt)).or_insert_with(|| (**plan).clone());
                if *known != **plan {
                    return Err(format!("another plan for the same attempt: {known:?}, now {plan:?}"));
                }
                let expected = self.expected.get(self.observer.round).ok_or("a round that nobody asked for")?;
                let path = plan.task.path.as_str();
                let inputs = expected.find(path).and_then(|it| it.inputs.as_ref());
                let found = inputs_of(&plan.inputs, &plan.defaults);
                match inputs {
                    Some(inputs) if *inputs == found => Ok(()),
                    Some(inputs) => Err(format!("inputs of {path:?} are {found:?}, but should be {inputs:?}")),
                    None => Err(format!("{path:?} starts an attempt, but should not")),
                }
            }
            Effect::LookUpCache { node, key } => {
                let known = self.cache_keys.entry((*node, self.observer.round)).or_insert_with(|| key.clone());
                if known == key { Ok(()) } else { Err("the cache is asked under another key".to_owned()) }
            }
            _ => Ok(()),
        }
    }

    /// Drops effects that facts settle.
    fn forget(&mut self, facts: &[Fact]) {
        for fact in facts {
            self.in_flight.retain(|effect| match (fact, effect) {
                (Fact::RunEnded { .. }, _) => false,
                (Fact::CancelRequested { .. } | Fact::DeadlineExceeded { .. }, Effect::SetTimer { timer, .. }) => {
                    *timer != Timer::RunDeadline
                }
                (Fact::TaskSucceeded { node, .. }, effect)
                | (Fact::TaskFailed { node, .. }, effect)
                | (Fact::TaskCanceled { node, .. }, effect) => node_of(effect) != Some(*node),
                (
                    Fact::AttemptStarted { node, .. },
                    Effect::SetTimer { timer: Timer::Retry { node: other, .. }, .. }
                    | Effect::LookUpCache { node: other, .. },
                ) => node != other,
                _ => true,
            });
        }
    }
}

/// Facts as they are stored, one a line.
fn shown(log: &[(Fact, Timestamp)]) -> String {
    let line = |(fact, at): &(Fact, Timestamp)| {
        format!("  {at} {}\n", outline(&serde_json::to_value(fact).unwrap_or_default()))
    };
    log.iter().map(line).collect()
}

fn node_of(effect: &Effect) -> Option<NodeId> {
    match effect {
        Effect::LookUpCache { node, .. }
        | Effect::StartAttempt { node, .. }
        | Effect::StopAttempt { node, .. }
        | Effect::Import { node, .. }
        | Effect::SetTimer { timer: Timer::Retry { node, .. }, .. } => Some(*node),
        Effect::SetTimer { timer: Timer::RunDeadline, .. } => None,
    }
}

fn replaces(new: &Effect, old: &Effect) -> bool {
    match (new, old) {
        (Effect::StopAttempt { node, attempt }, Effect::StartAttempt { node: other, plan }) => {
            node == other && *attempt == plan.task.attempt
        }
        (Effect::SetTimer { timer, .. }, Effect::SetTimer { timer: other, .. }) => timer == other,
        _ => new == old,
    }
}
