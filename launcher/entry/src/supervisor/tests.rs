use std::collections::BTreeMap;

use super::*;

const LIMITS: Limits = Limits { connect: Duration::from_secs(120), hold: Duration::from_secs(3600) };

struct Scene {
    supervisor: Supervisor,
    now: Instant,
}

impl Scene {
    fn waiting() -> Scene {
        let now = Instant::now();
        Scene { supervisor: Supervisor::new(vec!["train".to_owned()], LIMITS, now), now }
    }

    fn connected() -> Scene {
        let mut scene = Scene::waiting();
        scene.step(Event::Connected);
        scene.step(Event::Message(LauncherMessage::Welcome { nonce: "n".to_owned() }));
        scene
    }

    fn running() -> Scene {
        let mut scene = Scene::connected();
        assert!(matches!(scene.step(start())[..], [Action::Start(_)]));
        assert_eq!(scene.step(Event::Started), [Action::Send(EntryMessage::Started)]);
        scene
    }

    fn held() -> Scene {
        let mut scene = Scene::running();
        assert_eq!(scene.step(reaped(3, false)), [Action::Collect(End::Code(3))]);
        assert_eq!(scene.step(Event::Collected(ended(3))), [Action::Send(EntryMessage::Exited(ended(3)))]);
        scene
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        self.supervisor.step(event, self.now)
    }

    fn pass(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.step(Event::Tick)
    }
}

fn start() -> Event {
    Event::Message(LauncherMessage::Start {
        argv: vec!["train".to_owned()],
        env: BTreeMap::new(),
        directories: Vec::new(),
        log: None,
        grace_ms: 5000,
        hold_ms: 50_000,
    })
}

fn acknowledge(exit_code: Option<u8>) -> Event {
    Event::Message(LauncherMessage::Acknowledge { exit_code, message: Some("said".to_owned()) })
}

fn reaped(code: i32, others: bool) -> Event {
    Event::Reaped { main: Some(End::Code(code)), others }
}

fn ended(code: i32) -> ProcessEnd {
    ProcessEnd { how: End::Code(code), duration_ms: 1, terminated: false, oom_kills: 0, log_error: None }
}

fn exit(code: u8) -> [Action; 1] {
    [Action::Exit { code, message: Some("said".to_owned()), complaint: None }]
}

fn exit_codes(actions: &[Action]) -> Vec<u8> {
    actions
        .iter()
        .filter_map(|action| if let Action::Exit { code, .. } = action { Some(*code) } else { None })
        .collect()
}

#[test]
fn a_task_from_start_to_end() {
    let mut scene = Scene::held();
    assert_eq!(scene.step(acknowledge(None)), exit(3));
    assert_eq!(Scene::held().step(acknowledge(Some(125))), exit(125));
}

#[test]
fn every_connection_begins_with_where_it_stands() {
    for (mut scene, expected) in [
        (Scene::connected(), EntryState::Waiting),
        (Scene::running(), EntryState::Running),
        (Scene::held(), EntryState::Exited(ended(3))),
    ] {
        scene.step(Event::Disconnected);
        let hello = EntryMessage::Hello {
            version: PROTOCOL_VERSION,
            nonce: Some("n".to_owned()),
            argv: vec!["train".to_owned()],
            state: expected,
        };
        assert_eq!(scene.step(Event::Connected), [Action::Send(hello)]);
    }
}

#[test]
fn what_happens_without_a_connection_is_said_in_the_next_hello_only() {
    let mut scene = Scene::running();
    scene.step(Event::Disconnected);
    scene.step(reaped(3, false));
    assert_eq!(scene.step(Event::Collected(ended(3))), []);
}

#[test]
fn a_second_start_starts_nothing() {
    for mut scene in [Scene::running(), Scene::held()] {
        assert_eq!(scene.step(start()), []);
    }
}

#[test]
fn without_a_launcher_it_gives_up_before_the_start_only() {
    let mut scene = Scene::waiting();
    scene.step(Event::Unreachable("connection refused".to_owned()));
    assert_eq!(scene.pass(Duration::from_secs(119)), []);
    let actions = scene.pass(Duration::from_secs(1));
    assert_eq!(exit_codes(&actions), [EXIT_LAUNCHER_FAILED]);
    assert!(format!("{actions:?}").contains("connection refused"), "{actions:?}");

    let mut scene = Scene::connected();
    assert_eq!(scene.pass(Duration::from_secs(100_000)), [], "a launcher may take its time to fetch inputs");
    scene.step(Event::Disconnected);
    assert_eq!(exit_codes(&scene.pass(LIMITS.connect)), [EXIT_LAUNCHER_FAILED]);

    let mut scene = Scene::running();
    scene.step(Event::Disconnected);
    assert_eq!(scene.pass(Duration::from_secs(100_000)), []);
}

#[test]
fn a_launcher_that_takes_connections_and_says_nothing_is_none() {
    let mut scene = Scene::waiting();
    for _ in 0..12 {
        scene.step(Event::Connected);
        assert_eq!(scene.pass(Duration::from_secs(9)), []);
        scene.step(Event::Disconnected);
    }
    scene.step(Event::Connected);
    assert_eq!(exit_codes(&scene.pass(Duration::from_secs(12))), [EXIT_LAUNCHER_FAILED]);
}

#[test]
fn the_hold_has_a_ceiling() {
    let mut scene = Scene::held();
    assert_eq!(scene.pass(LIMITS.hold - Duration::from_secs(1)), []);
    assert_eq!(exit_codes(&scene.pass(Duration::from_secs(1))), [EXIT_LAUNCHER_FAILED]);
}

#[test]
fn a_stop_kills_after_the_grace_once() {
    for event in [Event::Signal(Signal::TERM), Event::Message(LauncherMessage::Stop)] {
        let mut scene = Scene::running();
        assert_eq!(scene.step(event), [Action::Forward(Signal::TERM)]);
        assert_eq!(scene.pass(Duration::from_secs(3)), []);
        assert_eq!(scene.step(Event::Signal(Signal::TERM)), [Action::Forward(Signal::TERM)], "no new grace");
        assert_eq!(scene.pass(Duration::from_secs(2)), [Action::Forward(Signal::KILL)]);
        assert_eq!(scene.pass(Duration::from_secs(60)), []);
        assert_eq!(scene.step(Event::Signal(Signal::TERM)), [Action::Forward(Signal::TERM)]);
        assert_eq!(scene.pass(Duration::from_secs(60)), []);
    }
}

#[test]
fn other_signals_are_passed_on_and_stop_nothing() {
    let mut scene = Scene::running();
    assert_eq!(scene.step(Event::Signal(Signal::INT)), [Action::Forward(Signal::INT)]);
    assert_eq!(scene.supervisor.deadline(), None);
}

#[test]
fn a_termination_before_the_start_ends_it_at_once() {
    for mut scene in [Scene::waiting(), Scene::connected()] {
        assert_eq!(scene.step(Event::Signal(Signal::USR1)), []);
        assert_eq!(exit_codes(&scene.step(Event::Signal(Signal::TERM))), [143]);
    }
    assert_eq!(exit_codes(&Scene::waiting().step(Event::Signal(Signal::QUIT))), [131]);
}

#[test]
fn a_termination_during_the_hold_is_told_and_waits_for_the_launcher() {
    let mut scene = Scene::held();
    assert_eq!(scene.step(Event::Signal(Signal::TERM)), [Action::Send(EntryMessage::Terminating)]);
    assert_eq!(scene.step(Event::Signal(Signal::TERM)), [], "it is said once");
    assert_eq!(scene.step(Event::Message(LauncherMessage::Stop)), []);
    assert_eq!(scene.step(acknowledge(None)), exit(3));
}

#[test]
fn f37_a_termination_bounds_the_hold_from_the_signal_on() {
    let mut scene = Scene::held();
    scene.pass(Duration::from_secs(100));
    scene.step(Event::Signal(Signal::TERM));
    assert_eq!(scene.pass(Duration::from_secs(49)), []);
    scene.step(Event::Signal(Signal::TERM));
    let actions = scene.pass(Duration::from_secs(1));
    assert_eq!(exit_codes(&actions), [EXIT_LAUNCHER_FAILED]);
    assert!(format!("{actions:?}").contains("grace period"), "{actions:?}");

    // What the process took of the time is not there for the hold.
    let mut scene = Scene::running();
    scene.step(Event::Signal(Signal::TERM));
    scene.pass(Duration::from_secs(4));
    scene.step(reaped(0, false));
    let actions = scene.step(Event::Collected(ended(0)));
    let [Action::Send(EntryMessage::Exited(end)), Action::Send(EntryMessage::Terminating)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(end.terminated);
    assert_eq!(scene.pass(Duration::from_secs(45)), []);
    assert_eq!(exit_codes(&scene.pass(Duration::from_secs(1))), [EXIT_LAUNCHER_FAILED]);
}

#[test]
fn a_termination_while_what_is_left_is_cleared_is_told_with_the_end() {
    let mut scene = Scene::running();
    scene.step(reaped(0, true));
    assert_eq!(scene.step(Event::Signal(Signal::TERM)), []);
    scene.step(Event::Reaped { main: None, others: false });
    let told = scene.step(Event::Collected(ended(0)));
    assert_eq!(told, [EntryMessage::Exited(ended(0)), EntryMessage::Terminating].map(Action::Send));
}

#[test]
fn a_launcher_that_comes_back_hears_of_the_termination() {
    let mut scene = Scene::held();
    scene.step(Event::Disconnected);
    assert_eq!(scene.step(Event::Signal(Signal::TERM)), []);
    let told = scene.step(Event::Connected);
    assert!(matches!(told[..], [Action::Send(EntryMessage::Hello { .. }), Action::Send(EntryMessage::Terminating)]));
}

#[test]
fn what_is_left_behind_may_leave_then_is_asked_then_killed_then_left_alone() {
    let mut scene = Scene::running();
    assert_eq!(scene.step(reaped(0, true)), []);
    assert_eq!(scene.pass(REST_LEAVE), [Action::SignalRest(Signal::TERM)]);
    assert_eq!(scene.pass(REST_GRACE), [Action::SignalRest(Signal::KILL)]);
    assert_eq!(scene.pass(REST_PAUSE), [Action::SignalRest(Signal::KILL)]);
    assert_eq!(scene.step(Event::Reaped { main: None, others: true }), []);
    let mut other = Scene::running();
    other.step(reaped(0, true));
    assert_eq!(scene.step(Event::Reaped { main: None, others: false }), [Action::Collect(End::Code(0))]);
    assert_eq!(other.pass(REST_LIMIT), [Action::Collect(End::Code(0))]);
}

#[test]
fn leave_given_early_stops_the_process_first() {
    let mut scene = Scene::running();
    assert_eq!(scene.step(acknowledge(Some(125))), [Action::Forward(Signal::TERM)]);
    assert_eq!(scene.pass(Duration::from_secs(5)), [Action::Forward(Signal::KILL)]);
    scene.step(Event::Reaped { main: Some(End::Signal(9)), others: false });
    let actions = scene.step(Event::Collected(ended(3)));
    assert_eq!(exit_codes(&actions), [125]);
}

#[test]
fn leave_before_the_start_is_a_failure_unless_it_says_otherwise() {
    assert_eq!(Scene::connected().step(acknowledge(None)), exit(EXIT_LAUNCHER_FAILED));
    assert_eq!(Scene::connected().step(acknowledge(Some(7))), exit(7));
}

#[test]
fn what_did_not_start_is_held_too() {
    let mut scene = Scene::connected();
    scene.step(start());
    let end = End::NotStarted { code: 127, message: "nowhere".to_owned() };
    let actions = scene.step(Event::NotStarted(end));
    assert!(matches!(&actions[..], [Action::Send(EntryMessage::Exited(_))]), "{actions:?}");
    assert_eq!(scene.step(acknowledge(None)), exit(127));
}

#[test]
fn codes_are_those_of_a_shell() {
    assert_eq!(exit_code_of(&End::Code(255)), 255);
    assert_eq!(exit_code_of(&End::Code(-1)), 255);
    assert_eq!(exit_code_of(&End::Signal(9)), 137);
    assert_eq!(exit_code_of(&End::Signal(64)), 192);
}
