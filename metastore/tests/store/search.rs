//! Runs that are searched by name, against looking at every name.

use penstock_metastore::{Comparison, Listing, Metastore, Operand, Predicate, RunField, RunSearch, StorageState};
use uuid::Uuid;

use crate::fixture::{Fixture, at, close, execute, new_run};
use crate::place::{BY_TRIGRAMS, COPIES};

/// Characters of names: some are small in more than one way, some have a meaning in patterns or in queries of an index.
const CHARACTERS: [&str; 24] = [
    "a", "A", "b", "B", "k", "K", "\u{212a}", "s", "ſ", "ß", "ä", "Ä", "Σ", "σ", "ς", "İ", "%", "_", "\"", "'", "\\",
    " ", "-", "漢",
];

const NONE: [Uuid; 0] = [];

/// Numbers that follow from each other, so that what fails fails again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn text(&mut self, longest: usize) -> String {
        let few = [2, 6, CHARACTERS.len()][self.below(3)];
        let start = self.below(CHARACTERS.len());
        let length = self.below(longest + 1);
        (0..length).map(|_| CHARACTERS[(start + self.below(few)) % CHARACTERS.len()]).collect()
    }
}

/// Whether a name contains a pattern in which `%` stands for any text and `_` for any character, ASCII letters of either
/// case being alike.
fn contains(name: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = format!("%{pattern}%").to_ascii_lowercase().chars().collect();
    let name: Vec<char> = name.to_ascii_lowercase().chars().collect();
    // Which beginnings of the name fit what was read of the pattern.
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for wanted in pattern {
        let before = fits.clone();
        fits[0] = wanted == '%' && before[0];
        for end in 1..=name.len() {
            fits[end] = match wanted {
                '%' => before[end] || fits[end - 1],
                '_' => before[end - 1],
                letter => before[end - 1] && name[end - 1] == letter,
            };
        }
    }
    fits[name.len()]
}

#[derive(Debug)]
struct Named {
    id: Uuid,
    name: String,
    namespace: &'static str,
    state: StorageState,
}

/// Runs with names of all kinds, of which some were renamed, archived, hidden or removed.
async fn named(fixture: &Fixture, numbers: &mut Numbers) -> Vec<Named> {
    let store = &fixture.store;
    let mut runs = Vec::new();
    for number in 0..160_u128 {
        let mut run = new_run(number);
        run.info.id = Uuid::from_u128((number * 7919 % 997) << 96 | number);
        run.info.display_name = numbers.text(12);
        run.info.created_at = at(i64::try_from(number / 3).unwrap());
        run.info.namespace = ["team-a", "team-b"][numbers.below(2)].to_owned();
        run.registration.experiment = Some(Uuid::from_u128(number % 3));
        let namespace = if run.info.namespace == "team-a" { "team-a" } else { "team-b" };
        let (id, name) = (run.info.id, run.info.display_name.clone());
        store.create_run(run).await.unwrap();
        let mut named = Named { id, name, namespace, state: StorageState::Available };
        match number % 10 {
            3 => {
                store.set_run_storage(id, StorageState::Archived).await.unwrap();
                named.state = StorageState::Archived;
            }
            5 => {
                store.delete_run(id).await.unwrap();
                continue;
            }
            _ => {}
        }
        runs.push(named);
    }
    runs
}

fn searched(pattern: &str) -> Predicate<RunField> {
    Predicate::Contains { field: RunField::Name, text: pattern.to_owned() }
}

fn equal(field: RunField, text: &str) -> Predicate<RunField> {
    Predicate::Compare { field, comparison: Comparison::Equal, operand: Operand::Text(text.to_owned()) }
}

/// All pages, the least first; each has the number of all.
async fn walk(store: &Metastore, predicates: Vec<Predicate<RunField>>, sort: RunField, size: u32) -> Vec<Uuid> {
    let mut listing = Listing { predicates, ..Listing::by(sort, size) };
    let mut ids = Vec::new();
    let mut totals = Vec::new();
    loop {
        let page = store.list_run_records(&listing).await.unwrap();
        assert!(page.rows.len() <= size as usize);
        totals.push(page.total);
        ids.extend(page.rows.into_iter().map(|row| row.readable().unwrap().row.info.id));
        if page.next.is_none() {
            assert!(totals.iter().all(|total| *total == ids.len() as u64), "{totals:?}, {} rows", ids.len());
            return ids;
        }
        listing.from = page.next;
    }
}

/// In the order of a list that begins with the oldest.
fn ids(runs: &[Named], meets: impl Fn(&Named) -> bool) -> Vec<Uuid> {
    // They are listed in the order in which they were made, and of equal age by their ids.
    let mut found: Vec<(u128, Uuid)> =
        runs.iter().filter(|run| meets(run)).map(|run| ((run.id.as_u128() & 0xffff) / 3, run.id)).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn runs_are_found_by_any_part_of_their_names() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut numbers = Numbers(7);
    let runs = named(&fixture, &mut numbers).await;
    let mut raw = fixture.raw().await;
    for statement in BY_TRIGRAMS {
        execute(&mut raw, statement).await;
    }
    close(raw).await;
    let store = fixture.open().await;
    for number in 0..300 {
        let mut pattern = numbers.text(7);
        if number % 2 == 0 {
            // A part of a name, in the other case.
            let name: Vec<char> = runs[numbers.below(runs.len())].name.chars().collect();
            let start = numbers.below(name.len() + 1);
            let part = name[start..].iter().take(1 + numbers.below(6));
            pattern = part
                .map(|letter| if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { *letter })
                .collect();
        }
        let size = [3, 20, 1000][numbers.below(3)];
        let wanted = ids(&runs, |run| contains(&run.name, &pattern));
        assert_eq!(walk(&store, vec![searched(&pattern)], RunField::CreatedAt, size).await, wanted, "{pattern:?}");
        let narrowed = vec![
            equal(RunField::Namespace, "team-a"),
            searched(&pattern),
            equal(RunField::StorageState, "AVAILABLE"),
            equal(RunField::State, "PENDING"),
        ];
        let meets = |run: &Named| {
            contains(&run.name, &pattern) && run.namespace == "team-a" && run.state == StorageState::Available
        };
        for predicates in [narrowed.clone(), narrowed[..3].to_vec()] {
            let found = walk(&store, predicates, RunField::CreatedAt, size).await;
            assert_eq!(found, ids(&runs, meets), "{pattern:?}");
        }
    }
}

#[tokio::test]
async fn what_is_found_is_sorted_by_any_field() {
    let Some(fixture) = Fixture::new().await else { return };
    let runs = named(&fixture, &mut Numbers(11)).await;
    let all = |pattern: &str| {
        let mut found: Vec<(String, Uuid)> = runs
            .iter()
            .filter(|run| contains(&run.name, pattern))
            .map(|run| (run.name.to_ascii_lowercase(), run.id))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    for pattern in ["aab", "Aa", "bab", "a_a", "%"] {
        assert_eq!(walk(&fixture.store, vec![searched(pattern)], RunField::Name, 2).await, all(pattern), "{pattern:?}");
        let mut by_id = all(pattern);
        by_id.sort_unstable();
        for sort in [RunField::Id, RunField::FinishedAt, RunField::Description] {
            let found = walk(&fixture.store, vec![searched(pattern)], sort, 2).await;
            assert_eq!(found, by_id, "{pattern:?} by {sort:?}");
        }
    }
}

#[tokio::test]
async fn a_run_is_found_by_the_name_and_the_place_that_it_has_now() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 0..4 {
        fixture.run(number).await;
    }
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE runs SET display_name = 'Evaluate' WHERE name = 'train-00001'").await;
    execute(&mut raw, "UPDATE runs SET display_name = 'TRAIN 2' WHERE name = 'train-00002'").await;
    execute(&mut raw, "UPDATE runs SET storage_state = 'ARCHIVED' WHERE name = 'train-00003'").await;
    execute(&mut raw, "UPDATE runs SET deleted_at = 5 WHERE name = 'train-00000'").await;
    execute(&mut raw, "UPDATE runs SET display_name = 'Train once more' WHERE name = 'train-00000'").await;
    close(raw).await;
    let run = |number| new_run(number).info.id;
    let found = async |predicates| walk(&fixture.store, predicates, RunField::CreatedAt, 10).await;
    assert_eq!(found(vec![searched("train")]).await, [run(2), run(3)]);
    assert_eq!(found(vec![searched("VALU")]).await, [run(1)]);
    assert_eq!(found(vec![searched("train"), equal(RunField::StorageState, "ARCHIVED")]).await, [run(3)]);
    assert_eq!(found(vec![searched("more")]).await, NONE);
    let mut raw = fixture.raw().await;
    execute(&mut raw, "DELETE FROM runs").await;
    close(raw).await;
    assert_eq!(found(vec![searched("train")]).await, NONE);
    fixture.run(9).await;
    assert_eq!(found(vec![searched("train")]).await, [run(9)]);
}

/// More than are looked at one by one: pages go along the order of the list then.
#[tokio::test]
async fn many_runs_of_a_name_are_paged_through_as_few_are() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut raw = fixture.raw().await;
    fixture.run(1).await;
    for statement in COPIES {
        execute(&mut raw, statement).await;
    }
    execute(&mut raw, "DELETE FROM runs WHERE name = 'train-00001'").await;
    close(raw).await;
    let all = walk(&fixture.store, vec![searched("COPY")], RunField::CreatedAt, 1000).await;
    assert_eq!(all.len(), 6000);
    assert_eq!(walk(&fixture.store, vec![searched("opy_")], RunField::CreatedAt, 999).await, all);
    // Hardly any of many that are found by their trigrams.
    for pattern in ["opy%cop", "copy 17%copy 17"] {
        assert_eq!(walk(&fixture.store, vec![searched(pattern)], RunField::CreatedAt, 1).await, NONE);
    }
    let few = walk(&fixture.store, vec![searched("copy 17"), searched("77")], RunField::CreatedAt, 3).await;
    assert_eq!(
        few,
        all.iter()
            .copied()
            .filter(|id| [177, 1770, 1771, 1772, 1773, 1774, 1775, 1776, 1777, 1778, 1779].contains(&id.as_u128()))
            .collect::<Vec<_>>()
    );
    let failed = vec![searched("copy"), equal(RunField::State, "FAILED")];
    let found = walk(&fixture.store, failed, RunField::CreatedAt, 100).await;
    assert_eq!(found, all.iter().copied().filter(|id| id.as_u128() % 10 == 0).collect::<Vec<_>>());
    let of_experiment = Predicate::Compare {
        field: RunField::Experiment,
        comparison: Comparison::Equal,
        operand: Operand::Id(Uuid::from_u128(7)),
    };
    let found = walk(&fixture.store, vec![searched("copy"), of_experiment], RunField::CreatedAt, 50).await;
    assert_eq!(found, all.iter().copied().filter(|id| id.as_u128() % 50 == 7).collect::<Vec<_>>());
}

/// Nobody counts what many have to say that they are many.
#[tokio::test]
async fn a_search_counts_as_far_as_few_runs_tell() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut raw = fixture.raw().await;
    fixture.run(1).await;
    for statement in COPIES {
        execute(&mut raw, statement).await;
    }
    close(raw).await;
    let archived = || equal(RunField::StorageState, "ARCHIVED");
    let created = Predicate::Compare {
        field: RunField::CreatedAt,
        comparison: Comparison::Greater,
        operand: Operand::Integer(0),
    };
    for (predicates, least, most, is_least) in [
        (vec![], 6001, 6001, false),
        (vec![archived()], 0, 0, false),
        (vec![searched("copy 17")], 111, 111, false),
        (vec![searched("copy")], 5000, 6000, true),
        (vec![searched("c")], 5000, 6000, true),
        (vec![searched("77")], 114, 114, false),
        (vec![created], 5000, 6001, true),
        // Many have what it is found by, and the page shows that it is none.
        (vec![searched("copy"), archived()], 0, 0, false),
        (vec![searched("opy%cop")], 0, 0, false),
    ] {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 150) };
        let search = RunSearch { listing, conditions: Vec::new(), sort_value: None };
        let found = fixture.store.search_runs(&search).await.unwrap();
        let said = (found.page.total, found.is_least);
        assert!(least <= said.0 && said.0 <= most && said.1 == is_least, "{said:?} {:?}", search.listing.predicates);
        assert_eq!(found.page.rows.len() as u64, said.0.min(150));
    }
}
