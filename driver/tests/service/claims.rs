//! Several machines with one database: each has a data directory of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use penstock_driver::{DriveError, RunControl};
use penstock_metastore::{Command, StoreLocation};
use penstock_spec::run::RunStatus;
use rstest::rstest;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::database::Database;
use crate::driver::Machine;
use crate::{server, until};

const TAKEOVER: Duration = Duration::from_millis(2400);

/// Notes that it has started, and by which process, and whether another of the same name is at work; then waits for a file.
fn script(directory: &Path, name: &str) -> String {
    let directory = directory.display();
    format!(
        "exec 9>{directory}/{name}.lock; flock -n 9 || echo twice >> {directory}/twice; echo $$ >> {directory}/{name}; \
         while ! test -e {directory}/{name}.go; do sleep 0.05; done"
    )
}

fn lines(machine: &Machine, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(machine.file(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn is_alive(process: &str) -> bool {
    // One that has ended and that nobody waits for is none.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

async fn shared(machine: &Machine, name: &str) -> Uuid {
    let directory = machine.file("");
    machine.create_shared(&script(&directory, name)).await
}

fn go(machine: &Machine, name: &str) {
    std::fs::write(machine.file(&format!("{name}.go")), "").unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t28_machines_that_share_a_database_drive_each_run_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(first) = Machine::open_with(database, TAKEOVER).await else { return };
    let second = first.beside("second", TAKEOVER).await;
    let services = [first.serve(), second.serve()];
    let mut runs = Vec::new();
    for number in 0..12 {
        let machine = if number % 2 == 0 { &first } else { &second };
        let file = first.file(&format!("done-{number}"));
        runs.push((machine.create_shared(&format!("echo x >> {}", file.display())).await, number));
    }
    for (run, number) in runs {
        until("it succeeds", async || second.status(run).await == RunStatus::Succeeded).await;
        assert_eq!(lines(&first, &format!("done-{number}")), ["x"], "it was carried out once");
    }
    until("nobody has a run any more", async || {
        let store = first.driver.metastore();
        store.runs_to_drive(None, 100).await.unwrap().runs.is_empty()
    })
    .await;
    for service in services {
        service.end().await;
    }
}

/// A run that is at work elsewhere is left alone, and taken up at once when it is given back.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn run_of_a_machine_that_is_alive_is_left_to_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(first) = Machine::open_with(database, TAKEOVER).await else { return };
    let second = first.beside("second", TAKEOVER).await;
    let run = shared(&second, "task").await;
    let of_second = second.serve();
    until("it is at work", async || lines(&first, "task").len() == 1).await;
    let of_first = first.serve();
    tokio::time::sleep(TAKEOVER * 2).await;
    assert!(first.driver.is_driven_elsewhere(run).await.unwrap());
    assert_eq!(lines(&first, "task").len(), 1, "nobody else begins it");
    let error = first.driver.drive(run, RunControl::new()).await.unwrap_err();
    assert!(matches!(&error, DriveError::Owned { process, .. } if process.contains(" on ")), "{error}");

    of_second.end().await;
    let given_back = Instant::now();
    until("the other one goes on", async || lines(&first, "task").len() == 2).await;
    assert!(given_back.elapsed() < Duration::from_secs(20), "{:?}", given_back.elapsed());
    assert!(!is_alive(&lines(&first, "task")[0]), "whoever gives it back leaves nothing at work");
    go(&first, "task");
    until("it succeeds", async || first.status(run).await == RunStatus::Succeeded).await;
    of_first.end().await;
    assert!(!first.file("twice").exists());
}

/// F-01, F-13: what a machine had is taken over when nothing was heard of it for long, and what it left at work is ended
/// when it comes back.
#[rstest]
#[test]
fn f13_runs_of_a_machine_that_has_gone_are_taken_over(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (here, gone) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let Some(first) = here.block_on(Machine::open_with(database, TAKEOVER)) else { return };
    // Its tasks do not end with it, as after a kill of the driver alone.
    let second = gone.block_on(first.beside("second", TAKEOVER));
    let run = here.block_on(shared(&first, "task"));
    let of_second = gone.block_on(async { second.serve() });
    here.block_on(until("it is at work", async || lines(&first, "task").len() == 1));
    let of_first = here.block_on(async { first.serve() });
    gone.shutdown_background();
    drop(of_second);
    let killed = Instant::now();
    here.block_on(async {
        until("the other one goes on", async || lines(&first, "task").len() == 2).await;
        println!("taken over after {:?}", killed.elapsed());
        let left = &lines(&first, "task")[0];
        assert!(is_alive(left), "nobody here can end it");
        let again = first.beside("second", TAKEOVER).await;
        let of_second = again.serve();
        until("what was left is ended", async || !is_alive(left)).await;
        assert!(is_alive(&lines(&first, "task")[1]), "and nothing else");
        go(&first, "task");
        until("it succeeds", async || first.status(run).await == RunStatus::Succeeded).await;
        assert_eq!(lines(&first, "task").len(), 2);
        for service in [of_first, of_second] {
            service.end().await;
        }
    });
}

/// Where artifacts of a run are in a data directory, others can only end it.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn run_whose_files_are_elsewhere_is_left_to_its_machine_and_can_be_ended(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(first) = Machine::open_with(database, TAKEOVER).await else { return };
    let second = first.beside("second", TAKEOVER).await;
    let run = first.create(&script(&first.file(""), "task")).await;
    let of_second = second.serve();
    tokio::time::sleep(TAKEOVER).await;
    assert_eq!(lines(&first, "task").len(), 0, "it cannot have it");
    let error = second.driver.drive(run, RunControl::new()).await.unwrap_err();
    assert!(matches!(error, DriveError::Elsewhere { .. }), "{error}");

    // Its own machine does not come back.
    let terminate = Command::Terminate { reason: "a test".to_owned() };
    second.driver.metastore().put_command(run, "stop", &terminate).await.unwrap();
    until("it is canceled", async || second.status(run).await == RunStatus::Canceled).await;

    let own = first.create("true").await;
    let of_first = first.serve();
    until("its machine drives it", async || second.status(own).await == RunStatus::Succeeded).await;
    for service in [of_first, of_second] {
        service.end().await;
    }
}

/// F-36, F-45: a machine that cannot reach the store stops its tasks before others may begin them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f36_machine_that_is_not_heard_stops_its_tasks_in_time() {
    let Some(first) = Machine::open_with(Database::Postgres, TAKEOVER).await else { return };
    let second = first.beside("second", TAKEOVER * 2).await;
    let run = shared(&second, "task").await;
    let of_second = second.serve();
    until("it is at work", async || lines(&first, "task").len() == 1).await;
    // Nobody can store anything while this has the lock of all writers.
    let name = database_name(first.place());
    let held = Instant::now();
    let lock = tokio::task::spawn_blocking(move || {
        server::shared().unwrap().sql(&name, "SELECT pg_advisory_xact_lock(1347310420), pg_sleep(7)")
    });
    let task = lines(&first, "task")[0].clone();
    until("its task is ended", async || !is_alive(&task)).await;
    let ended = held.elapsed();
    assert!(!lock.is_finished() && ended < TAKEOVER * 2 + Duration::from_secs(1), "{ended:?}");
    lock.await.unwrap();
    assert_eq!(first.status(run).await, RunStatus::Running);
    until("it goes on", async || lines(&first, "task").len() == 2).await;
    go(&first, "task");
    until("it succeeds", async || first.status(run).await == RunStatus::Succeeded).await;
    assert!(!first.file("twice").exists());
    of_second.end().await;
}

fn database_name(place: &StoreLocation) -> String {
    let url = place.to_string();
    url.rsplit('/').next().unwrap().to_owned()
}
