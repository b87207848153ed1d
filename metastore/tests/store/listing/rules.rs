//! What the rules say of a list of rows in memory, and every list that is compared with it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use penstock_metastore::{Comparison, Field, FieldKind, Listing, Operand, Page, Predicate};
use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::fixture::at;

/// A row as the rules see it: its id, and what each field compares by.
pub(super) type Row<F> = (Uuid, Vec<(F, Operand)>);

pub(super) fn value<F: PartialEq>(row: &Row<F>, field: &F) -> Operand {
    row.1.iter().find(|(found, _)| found == field).map(|(_, value)| value.clone()).unwrap()
}

/// Namespaces are compared to the letter, other text without regard to case.
pub(super) fn compare(left: &Operand, right: &Operand, to_the_letter: bool) -> Ordering {
    match (left, right) {
        (Operand::Integer(left), Operand::Integer(right)) => left.cmp(right),
        (Operand::Id(left), Operand::Id(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Operand::Text(left), Operand::Text(right)) if to_the_letter => left.cmp(right),
        (Operand::Text(left), Operand::Text(right)) => left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase()),
        other => panic!("{other:?}"),
    }
}

fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
    }
}

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
];

/// All pages of a list.
pub(super) async fn walk<F: Copy, T>(
    list: &impl AsyncFn(&Listing<F>) -> Page<T>,
    id: fn(&T) -> Uuid,
    mut listing: Listing<F>,
) -> Vec<Uuid> {
    let mut seen = Vec::new();
    loop {
        let page = list(&listing).await;
        assert!(page.rows.len() <= listing.size as usize);
        seen.extend(page.rows.into_iter().map(|row| id(&row.readable().unwrap())));
        if page.next.is_none() {
            assert_eq!(page.total, seen.len() as u64);
            return seen;
        }
        listing.from = page.next;
    }
}

/// Compares every list that can be made of these fields with what the rules say about these rows. `ties_by_age`: the field of
/// which rows that have the same are sorted by their age.
pub(super) async fn check<F: Field + PartialEq + std::fmt::Debug, T>(
    fields: &[F],
    namespace: Option<F>,
    by_age: F,
    ties_by_age: Option<F>,
    rows: &[Row<F>],
    list: impl AsyncFn(&Listing<F>) -> Page<T>,
    id: fn(&T) -> Uuid,
) {
    let exact = |field: F| Some(field) == namespace;
    for field in fields {
        for descending in [false, true] {
            let mut wanted: Vec<&Row<F>> = rows.iter().collect();
            wanted.sort_by(|left, right| {
                let by = |field: &F| compare(&value(left, field), &value(right, field), exact(*field));
                let age = if ties_by_age == Some(*field) { by(&by_age) } else { Ordering::Equal };
                by(field).then(age).then(left.0.cmp(&right.0))
            });
            if descending {
                wanted.reverse();
            }
            let wanted: Vec<Uuid> = wanted.into_iter().map(|(id, _)| *id).collect();
            for size in [4, 7, 1000] {
                let listing = Listing { descending, ..Listing::by(*field, size) };
                assert_eq!(walk(&list, id, listing).await, wanted, "{field:?}, descending {descending}, {size}");
            }
        }
    }
    let mut ordered: Vec<&Row<F>> = rows.iter().collect();
    ordered
        .sort_by(|left, right| compare(&value(left, &by_age), &value(right, &by_age), true).then(left.0.cmp(&right.0)));
    let select = |meets: &dyn Fn(&Row<F>) -> bool| -> Vec<Uuid> {
        ordered.iter().filter(|row| meets(row)).map(|(id, _)| *id).collect()
    };
    let narrowed = async |predicate: &Predicate<F>| {
        let listing = Listing { predicates: vec![predicate.clone()], ..Listing::by(by_age, 15) };
        walk(&list, id, listing).await
    };
    for field in fields {
        for operand in operands(*field, rows) {
            let against = |row: &Row<F>| compare(&value(row, field), &operand, exact(*field));
            for comparison in COMPARISONS {
                let predicate = Predicate::Compare { field: *field, comparison, operand: operand.clone() };
                let wanted = select(&|row| holds(comparison, against(row)));
                assert_eq!(narrowed(&predicate).await, wanted, "{predicate:?}");
            }
        }
        let few: Vec<Operand> = operands(*field, rows).into_iter().step_by(2).collect();
        let wanted = select(&|row| few.iter().any(|one| compare(&value(row, field), one, exact(*field)).is_eq()));
        let predicate = Predicate::In { field: *field, operands: few };
        assert_eq!(narrowed(&predicate).await, wanted, "{predicate:?}");
        assert!(narrowed(&Predicate::In { field: *field, operands: Vec::new() }).await.is_empty());
        for text in ["", "A", "team", "1", "0", "-0000-", "z%", "\\", "ARCH"] {
            let wanted = select(&|row| shown(&value(row, field)).contains(&text.to_ascii_lowercase()));
            let predicate = Predicate::Contains { field: *field, text: text.to_owned() };
            if !text.contains('%') {
                assert_eq!(narrowed(&predicate).await, wanted, "{predicate:?}");
            }
        }
        if field.kind() == FieldKind::Time {
            for (from, to) in [(0, 1), (nanoseconds(at(2)), nanoseconds(at(4))), (i64::MIN, i64::MAX)] {
                let time = |row: &Row<F>| match value(row, field) {
                    Operand::Integer(time) => time,
                    other => panic!("{other:?}"),
                };
                let wanted = select(&|row| !(from <= time(row) && time(row) < to));
                let predicate = Predicate::Outside { field: *field, from, to };
                assert_eq!(narrowed(&predicate).await, wanted, "{predicate:?}");
            }
        }
    }
}

/// Every value of a field, in another case, and some that no row has.
fn operands<F: Field + PartialEq>(field: F, rows: &[Row<F>]) -> Vec<Operand> {
    match field.kind() {
        FieldKind::Time => {
            let times = rows.iter().map(|row| match value(row, &field) {
                Operand::Integer(time) => time,
                other => panic!("{other:?}"),
            });
            let times: BTreeSet<i64> = times.chain([i64::MIN, 0, i64::MAX]).collect();
            times.into_iter().take(6).map(Operand::Integer).collect()
        }
        FieldKind::Id => {
            let ids = rows.iter().map(|row| match value(row, &field) {
                Operand::Id(id) => id,
                other => panic!("{other:?}"),
            });
            let ids: BTreeSet<Uuid> = ids.chain([Uuid::nil(), Uuid::max()]).collect();
            ids.into_iter().take(6).map(Operand::Id).collect()
        }
        FieldKind::Text | FieldKind::Word => {
            let texts = rows.iter().map(|row| match value(row, &field) {
                Operand::Text(text) => text,
                other => panic!("{other:?}"),
            });
            let texts = texts.chain(["".to_owned(), "m".to_owned(), "\u{fffd}".to_owned()]);
            let texts: BTreeSet<String> = texts.flat_map(|text| [text.to_ascii_lowercase(), text]).collect();
            texts.into_iter().map(Operand::Text).collect()
        }
    }
}

/// A value as text to look in.
fn shown(value: &Operand) -> String {
    match value {
        Operand::Integer(nanoseconds) => (nanoseconds / 1_000_000_000).to_string(),
        Operand::Text(text) | Operand::WordAt(text, _) => text.to_ascii_lowercase(),
        Operand::Id(id) if id.is_nil() => String::new(),
        Operand::Id(id) => id.to_string(),
    }
}

pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap()
}
