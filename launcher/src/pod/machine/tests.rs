use penstock_entry::protocol::End;

use super::*;

fn end(how: End) -> ProcessEnd {
    ProcessEnd { how, duration_ms: 5, terminated: false, oom_kills: 0, log_error: None }
}

fn argv() -> Vec<String> {
    vec!["python3".to_owned()]
}

fn connected(state: EntryState) -> Event {
    Event::Connected { argv: argv(), state }
}

fn running() -> Machine {
    let mut machine = Machine::new(true, false);
    assert!(machine.step(Event::InputsReady).is_empty());
    assert_eq!(machine.step(connected(EntryState::Waiting)), [Action::Start(argv())]);
    machine
}

fn conclusion(failure: Option<Failure>, exit_code: Option<i32>) -> Conclusion {
    Conclusion { failure, manifest_digest: None, exit_code, log_uri: None }
}

fn cause(actions: &[Action]) -> FailureCause {
    match actions {
        [Action::Store(Ending::Badly { failure, .. })] => failure.cause,
        other => panic!("no failure is stored: {other:?}"),
    }
}

#[test]
fn happy_path_in_either_order() {
    let mut machine = Machine::new(true, false);
    assert!(machine.step(connected(EntryState::Waiting)).is_empty());
    assert_eq!(machine.step(Event::InputsReady), [Action::Start(argv())]);
    assert!(machine.is_running());
    assert_eq!(machine.step(Event::Exited(end(End::Code(0)))), [Action::Store(Ending::Well)]);
    // The entry holds on to the connection; its loss changes nothing now.
    assert!(machine.step(Event::Lost).is_empty());
    let conclusion = conclusion(None, Some(0));
    assert_eq!(machine.step(Event::Stored(conclusion.clone())), [Action::Report(conclusion)]);
    assert_eq!(machine.step(connected(EntryState::Exited(end(End::Code(0))))), []);
    assert_eq!(machine.step(Event::Reported), [Action::Acknowledge(Acknowledgement::default())]);
    assert!(machine.is_done());
    let again = machine.step(connected(EntryState::Exited(end(End::Code(0)))));
    assert_eq!(again, [Action::Acknowledge(Acknowledgement::default())]);
    running();
}

#[test]
fn failed_input_is_reported_before_anything_runs() {
    let mut machine = Machine::new(true, false);
    let refused = failure(FailureCause::Input, "no such object");
    assert_eq!(cause(&machine.step(Event::Refused(refused.clone()))), FailureCause::Input);
    assert!(machine.step(connected(EntryState::Waiting)).is_empty());
    machine.step(Event::Stored(conclusion(Some(refused), None)));
    let acknowledgement = Acknowledgement { exit_code: Some(125), message: Some("no such object".to_owned()) };
    assert_eq!(machine.step(Event::Reported), [Action::Acknowledge(acknowledgement)]);
}

#[test]
fn ends_of_a_process_have_their_causes() {
    for (how, expected) in [
        (End::Code(1), FailureCause::User),
        (End::Code(126), FailureCause::User),
        (End::Code(137), FailureCause::User),
        (End::Signal(11), FailureCause::User),
        (End::Signal(9), FailureCause::User),
        (End::Signal(15), FailureCause::User),
        (End::Code(143), FailureCause::User),
        (End::NotStarted { code: 127, message: "no".to_owned() }, FailureCause::User),
        (End::NotStarted { code: 125, message: "no".to_owned() }, FailureCause::Infrastructure),
    ] {
        assert_eq!(cause(&running().step(Event::Exited(end(how.clone())))), expected, "{how:?}");
    }
}

#[test]
fn f12_process_that_ends_because_its_pod_does_is_interrupted_unless_it_ended_well() {
    for how in [End::Signal(15), End::Signal(9), End::Code(1), End::Code(143)] {
        let ended = ProcessEnd { terminated: true, ..end(how) };
        assert_eq!(cause(&running().step(Event::Exited(ended))), FailureCause::Interrupted);
    }
    let well = ProcessEnd { terminated: true, ..end(End::Code(0)) };
    assert_eq!(running().step(Event::Exited(well)), [Action::Store(Ending::Well)]);
}

#[test]
fn f14_out_of_memory_is_named_and_is_the_users() {
    for how in [End::Signal(9), End::Code(137), End::Code(1)] {
        let killed = ProcessEnd { oom_kills: 2, ..end(how) };
        let actions = running().step(Event::Exited(killed));
        let [Action::Store(Ending::Badly { failure, .. })] = actions.as_slice() else { panic!("{actions:?}") };
        assert_eq!(failure.cause, FailureCause::User);
        for part in ["OOMKilled", "container main", "set_memory_limit"] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }
    let survived = ProcessEnd { oom_kills: 1, ..end(End::Code(0)) };
    assert_eq!(running().step(Event::Exited(survived)), [Action::Store(Ending::Well)]);
}

#[test]
fn entry_that_is_lost_is_waited_for_and_then_given_up() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Lost), [Action::AwaitEntry(1)]);
    assert_eq!(machine.step(connected(EntryState::Running)), []);
    assert_eq!(machine.step(Event::Overdue(1)), [], "it came back");
    assert_eq!(machine.step(Event::Lost), [Action::AwaitEntry(2)]);
    assert_eq!(machine.step(Event::Overdue(1)), [], "an old alarm");
    assert_eq!(cause(&machine.step(Event::Overdue(2))), FailureCause::Interrupted);
    assert_eq!(machine.step(Event::Exited(end(End::Code(0)))), [], "too late");
    let failed = failure(FailureCause::Interrupted, "gone");
    machine.step(Event::Stored(conclusion(Some(failed), None)));
    machine.step(Event::Reported);
    let let_go = machine.step(connected(EntryState::Running));
    let [Action::Acknowledge(acknowledgement)] = let_go.as_slice() else { panic!("whoever comes back late is let go") };
    assert_eq!(acknowledgement.exit_code, Some(125));
}

#[test]
fn lost_before_the_start_is_the_drivers_to_judge() {
    let mut machine = Machine::new(true, false);
    machine.step(connected(EntryState::Waiting));
    assert!(machine.step(Event::Lost).is_empty());
    assert!(machine.step(Event::InputsReady).is_empty(), "nobody is there to start it");
    assert_eq!(machine.step(connected(EntryState::Waiting)), [Action::Start(argv())]);
}

#[test]
fn timeout_stops_the_process_and_is_told_however_it_ends() {
    for last in [
        Event::Exited(end(End::Signal(15))),
        Event::Exited(end(End::Code(0))),
        Event::StopOverdue,
        Event::Exited(ProcessEnd { oom_kills: 1, ..end(End::Signal(9)) }),
    ] {
        let mut machine = running();
        assert_eq!(machine.step(Event::TimedOut { seconds: 7 }), [Action::Stop, Action::AwaitStop]);
        let actions = machine.step(last);
        assert_eq!(cause(&actions), FailureCause::Timeout);
        let [Action::Store(Ending::Badly { failure, .. })] = actions.as_slice() else { panic!("{actions:?}") };
        assert_eq!(failure.message, "the attempt took longer than its timeout of 7 s");
    }
    let mut machine = running();
    machine.step(Event::Exited(end(End::Code(0))));
    assert_eq!(machine.step(Event::TimedOut { seconds: 7 }), [], "storing is not timed");
}

#[test]
fn restart_goes_on_where_it_was() {
    // The word to start was lost with the sidecar.
    let (mut machine, actions) = Machine::started(true, false);
    assert_eq!(actions, [Action::AwaitEntry(1)]);
    assert_eq!(machine.step(connected(EntryState::Waiting)), [Action::Start(argv())]);
    // The process has ended meanwhile.
    let (mut machine, _) = Machine::started(true, false);
    let ended = machine.step(connected(EntryState::Exited(end(End::Code(0)))));
    assert_eq!(ended, [Action::Store(Ending::Well)]);
    // Its container is gone.
    let (mut machine, _) = Machine::started(true, false);
    assert_eq!(cause(&machine.step(Event::Overdue(1))), FailureCause::Interrupted);
    // All was stored.
    let conclusion = conclusion(None, Some(0));
    let (mut machine, actions) = Machine::concluded(conclusion.clone(), true);
    assert_eq!(actions, [Action::Report(conclusion)]);
    assert_eq!(machine.step(Event::Reported), [Action::Acknowledge(Acknowledgement::default())]);
    // Nothing is remembered, and the process runs or has ended.
    let mut machine = Machine::new(true, false);
    machine.step(connected(EntryState::Running));
    assert!(machine.is_running());
    assert_eq!(machine.step(Event::InputsReady), []);
    let mut machine = Machine::new(true, false);
    assert_eq!(machine.step(connected(EntryState::Exited(end(End::Code(0))))), [Action::Store(Ending::Well)]);
}

#[test]
fn container_that_only_needs_inputs_may_start_again() {
    let mut machine = Machine::new(false, true);
    machine.step(Event::InputsReady);
    for _ in 0..2 {
        assert_eq!(machine.step(connected(EntryState::Waiting)), [Action::Start(argv())]);
        let ending = machine.step(Event::Exited(end(End::Code(3))));
        assert_eq!(cause(&ending), FailureCause::User);
        let failed = failure(FailureCause::User, "code 3");
        let let_go = machine.step(Event::Stored(conclusion(Some(failed), Some(3))));
        assert_eq!(let_go, [Action::Acknowledge(Acknowledgement::default())], "it keeps its own code");
        machine.step(Event::Lost);
    }
}

#[test]
fn container_that_is_started_again_without_its_inputs_has_them_fetched_again() {
    let (mut machine, actions) = Machine::begin(false, true);
    assert_eq!(actions, [Action::Fetch]);
    let missing = failure(FailureCause::Input, "missing");
    machine.step(Event::Refused(missing.clone()));
    machine.step(Event::Stored(conclusion(Some(missing), None)));
    assert!(machine.is_done());
    assert_eq!(machine.step(connected(EntryState::Waiting)), [Action::Fetch]);
    assert_eq!(machine.step(Event::InputsReady), [Action::Start(argv())]);
}

#[test]
fn end_of_the_pod_leaves_time_for_the_report_only() {
    assert_eq!(Machine::new(true, false).terminate(), None);
    assert_eq!(running().terminate(), None, "the kubelet ends main first; only the sidecar is stopped");
    // Main was killed, and the kubelet is quicker than our patience.
    let mut machine = running();
    machine.step(Event::Lost);
    assert_eq!(cause(&machine.terminate().expect("there is time")), FailureCause::Interrupted);
    assert_eq!(machine.terminate(), Some(Vec::new()), "its log is being stored");
    let gone = failure(FailureCause::Interrupted, "gone");
    machine.step(Event::Stored(conclusion(Some(gone), None)));
    assert_eq!(machine.terminate(), Some(Vec::new()), "it is being reported");
    machine.step(Event::Reported);
    assert_eq!(machine.terminate(), None);
    // Outputs are given up.
    let mut machine = running();
    machine.step(Event::Exited(end(End::Code(0))));
    assert_eq!(machine.terminate(), None);
}

#[test]
fn exit_code_says_so_when_the_user_succeeded_and_the_outputs_did_not() {
    let failed = |cause, code| Acknowledgement::of(&conclusion(Some(failure(cause, "m")), code)).exit_code;
    assert_eq!(failed(FailureCause::Output, Some(0)), Some(125));
    assert_eq!(failed(FailureCause::Infrastructure, None), Some(125));
    assert_eq!(failed(FailureCause::Timeout, Some(0)), Some(125));
    assert_eq!(failed(FailureCause::Timeout, Some(143)), None);
    assert_eq!(failed(FailureCause::User, Some(3)), None);
    assert_eq!(failed(FailureCause::User, None), None, "126 and 127 are the entry's own");
    assert_eq!(failed(FailureCause::Interrupted, Some(0)), Some(125));
    assert_eq!(failed(FailureCause::Interrupted, Some(143)), None);
}

#[test]
fn f37_outputs_of_a_pod_that_ends_are_given_up_if_it_was_deleted() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Terminating), [], "its process is being stopped");
    machine.step(Event::Exited(end(End::Code(0))));
    assert_eq!(machine.step(Event::Terminating), [Action::AskWhy]);
    assert_eq!(cause(&machine.step(Event::Deleted)), FailureCause::Interrupted);
    assert_eq!(machine.step(Event::Terminating), [], "its log is short");
    assert_eq!(machine.step(Event::Deleted), []);

    let mut machine = running();
    machine.step(Event::Exited(end(End::Code(0))));
    let stored = conclusion(None, Some(0));
    assert_eq!(machine.step(Event::Stored(stored.clone())), [Action::Report(stored)]);
    assert_eq!(machine.step(Event::Terminating), []);
    assert_eq!(machine.step(Event::Deleted), [], "what is whole counts");
}
