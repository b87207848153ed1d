//! Lists of what has a text in its name, in SQLite. Rows whose names have the same trigrams are *found* by an index of them.
//! If those are few, the list is made of them alone; if they are many, a page is soon full along the index that has the
//! list's order. Which of the two, the statement decides when it is carried out. Finding decides nothing else: all
//! conditions are put to each row as they are without an index.
//!
//! PostgreSQL has an index of trigrams of its own kind, and decides by itself when to use it.

use super::{Column, Comparison, Entity, Listing, Predicate};
use crate::database::{Dialect, QueryBuilder};

/// Most rows that count as few: those that are found are all looked at.
pub(super) const MOST_FEW: usize = 5000;
/// Characters of a trigram.
const TRIGRAM: usize = 3;
/// Most trigrams of a text that are looked at to choose from.
const MOST_TRIGRAMS: usize = 16;
/// How many of them rows are found by: the rarest.
const CHOSEN_TRIGRAMS: usize = 3;

/// What can be searched by name. Goes with the layout.
pub(crate) struct Search<F: 'static> {
    /// What is searched in.
    pub(crate) field: F,
    /// Fields that each row that is found has with it.
    pub(crate) copied: &'static [F],
    /// Of those, the ones that rows are apart by: where one of them has a value that few rows have, an index finds these.
    pub(crate) scopes: &'static [F],
    /// The table of trigrams, whose rows have the keys of those in the next.
    pub(crate) trigrams: &'static str,
    /// The table of the fields that are copied, of visible rows alone.
    pub(crate) copies: &'static str,
}

/// How to find the rows of a list.
pub(super) struct Finding<E: Entity> {
    search: Search<E::Field>,
    /// Those of the longest text that is looked for.
    trigrams: Vec<String>,
}

impl<E: Entity> Finding<E> {
    /// How to find the rows of a list, if there is such an index and a text that is long enough for it.
    pub(super) fn of(dialect: Dialect, listing: &Listing<E::Field>) -> Option<Self> {
        let search = search::<E>(dialect)?;
        let text = searched(&search, listing).max_by_key(|text| text.len())?;
        let trigrams = trigrams_of(text);
        (!trigrams.is_empty()).then_some(Self { search, trigrams })
    }

    /// Appends what the statement begins with: the table of what is found, and no more of it than tells that it is much.
    pub(super) fn push_found(&self, sql: &mut QueryBuilder<'_>) {
        let (trigrams, most) = (self.search.trigrams, MOST_FEW + 1);
        sql.push("WITH tokens (token) AS (VALUES ");
        for (index, trigram) in self.trigrams.iter().enumerate() {
            sql.push(if index > 0 { ", (" } else { "(" });
            sql.push_bind(format!("\"{}\"", trigram.replace('"', "\"\""))).push(")");
        }
        // The more of the keys so far have a trigram, the more often it is met. Of a rare one all are known.
        sql.push(format_args!(
            "), counted (token, density) AS MATERIALIZED (SELECT token, \
               (SELECT CASE WHEN COUNT(*) < {most} THEN 0.0 ELSE COUNT(*) * 1.0 / MAX(rowid) END \
                FROM (SELECT rowid FROM {trigrams} WHERE {trigrams} MATCH token LIMIT {most})) FROM tokens), \
             found (found_key) AS MATERIALIZED (SELECT rowid FROM {trigrams} WHERE {trigrams} MATCH \
               (SELECT group_concat(token, ' AND ') FROM \
                  (SELECT token FROM counted WHERE density = 0.0 OR (SELECT MIN(density) FROM counted) > 0.0 \
                   ORDER BY density LIMIT {CHOSEN_TRIGRAMS})) LIMIT {most}) "
        ));
    }

    /// What is found with all that the list asks about.
    pub(super) fn rows(&self, listing: &Listing<E::Field>) -> String {
        let found = format!("found CROSS JOIN {0} ON {0}.key = found_key", self.search.copies);
        if self.search.has_all(listing) {
            return found;
        }
        format!("(SELECT id AS found_id FROM {found}) AS named CROSS JOIN {0} ON {0}.id = found_id", E::TABLE)
    }
}

fn search<E: Entity>(dialect: Dialect) -> Option<Search<E::Field>> {
    E::SEARCH.filter(|_| dialect == Dialect::Sqlite)
}

/// The condition that what is found is too much to look at.
pub(super) fn found_many() -> String {
    format!("(SELECT COUNT(*) FROM found) > {MOST_FEW}")
}

/// A limit that leaves no row if a condition does not hold, so that none is looked for.
pub(super) fn only_if(condition: &str) -> String {
    format!("LIMIT CASE WHEN {condition} THEN {} ELSE 0 END", i32::MAX)
}

/// Where all rows of a list that is narrowed by names can be counted without reading them whole, if there is such a table,
/// and the fields whose values may be had by so few rows that these are better read.
pub(super) fn copies<E: Entity>(
    dialect: Dialect,
    listing: &Listing<E::Field>,
) -> Option<(&'static str, &'static [E::Field])> {
    let search = search::<E>(dialect)?;
    let is_searched = searched(&search, listing).next().is_some();
    // In which order they are is no matter.
    (is_searched && search.has_all_asked(listing)).then_some((search.copies, search.scopes))
}

/// The conditions that a field has one value.
pub(super) fn narrowing<'l, F: Column>(
    listing: &'l Listing<F>,
    fields: &[F],
) -> impl Iterator<Item = &'l Predicate<F>> {
    listing.predicates.iter().filter(|predicate| match predicate {
        Predicate::Compare { field, comparison: Comparison::Equal, .. } => fields.contains(field),
        _ => false,
    })
}

impl<F: Column> Search<F> {
    fn has_all(&self, listing: &Listing<F>) -> bool {
        self.has_all_asked(listing) && self.copied.contains(&listing.sort)
    }

    fn has_all_asked(&self, listing: &Listing<F>) -> bool {
        let mut asked = listing.predicates.iter().map(Predicate::field);
        asked.all(|field| field.is_some_and(|field| self.copied.contains(&field)))
    }
}

/// The texts to look for in names.
fn searched<'l, F: Column>(search: &Search<F>, listing: &'l Listing<F>) -> impl Iterator<Item = &'l str> {
    listing.predicates.iter().filter_map(|predicate| match predicate {
        Predicate::Contains { field, text } if *field == search.field => Some(text.as_str()),
        _ => None,
    })
}

fn trigrams_of(text: &str) -> Vec<String> {
    // A pattern ends at a U+0000. What stands between wildcards stands for itself.
    let parts = text.split('\0').take(1).flat_map(|text| text.split(['%', '_']));
    let mut trigrams: Vec<String> = parts
        .flat_map(|part| {
            let characters: Vec<char> = part.chars().collect();
            characters.windows(TRIGRAM).map(|window| window.iter().collect()).collect::<Vec<String>>()
        })
        .collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    let step = trigrams.len().div_ceil(MOST_TRIGRAMS).max(1);
    trigrams.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigrams_do_not_reach_over_wildcards() {
        assert_eq!(trigrams_of("abcd"), ["abc", "bcd"]);
        assert_eq!(trigrams_of("ab%cd_äöü\"_x"), ["äöü", "öü\""]);
        assert_eq!(trigrams_of("aaaaaa"), ["aaa"]);
        assert_eq!(trigrams_of("%_%"), [""; 0]);
        assert_eq!(trigrams_of("abc\0def"), ["abc"]);
        let long: String = ('a'..='z').chain('0'..='9').collect();
        assert_eq!(trigrams_of(&long).len(), 12);
    }
}
