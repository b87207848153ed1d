//! Lists that are made of several, each along an index of its own: of which no more than a page has to be put in order.

use super::predicates::{self, is_narrow};
use super::{Column, Listing, Operand};

/// A part of a list.
pub(crate) struct Branch {
    /// What its rows have to meet.
    pub(crate) condition: String,
    /// Whether so few rows meet that, that they are best found by it alone.
    pub(crate) is_few: bool,
    /// What all its rows have in the field that the list is sorted by.
    pub(crate) all_have: Option<&'static str>,
}

impl Branch {
    pub(crate) fn of(condition: String) -> Self {
        Self { condition, is_few: false, all_have: None }
    }
}

/// The parts of a list.
pub(crate) struct Branches {
    /// The place of the condition that the branches stand for.
    pub(crate) instead_of: Option<usize>,
    pub(crate) branches: Vec<Branch>,
}

impl Branches {
    /// The parts of a list that it is better made of.
    pub(super) fn of<F: Column>(listing: &Listing<F>) -> Option<Self> {
        if listing.predicates.iter().any(is_narrow) {
            return None;
        }
        // Where nothing can be, the conditions say so.
        F::branches(listing).filter(|branches| !branches.branches.is_empty())
    }

    /// The whole list as its only part.
    pub(super) fn whole() -> Self {
        Self { instead_of: None, branches: vec![Branch::of("1 = 1".to_owned())] }
    }
}

/// The first condition on a field of words, by its place, and the words that it leaves.
pub(crate) fn narrowed<F: Column>(listing: &Listing<F>, field: F) -> Option<(usize, Vec<&'static str>)> {
    listing.predicates.iter().enumerate().find_map(|(place, predicate)| {
        let (narrowed, words) = predicates::words(predicate)?;
        (narrowed == field).then_some((place, words))
    })
}

/// Where a page begins, as seen from rows that all have the same in the field that the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Before all of them, or there is no such row.
    Before,
    /// Among them.
    Among,
    /// Behind all of them.
    Behind,
}

impl Beginning {
    pub(super) fn of<F>(listing: &Listing<F>, all_have: &str) -> Self {
        let Some(Operand::WordAt(word, _)) = listing.from.as_ref().map(|cursor| &cursor.value) else {
            return Self::Before;
        };
        match word.as_str().cmp(all_have) {
            std::cmp::Ordering::Equal => Self::Among,
            std::cmp::Ordering::Less if listing.descending => Self::Behind,
            std::cmp::Ordering::Greater if !listing.descending => Self::Behind,
            _ => Self::Before,
        }
    }
}
