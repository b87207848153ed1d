//! Lists: how many, in which order, which of them, and from where on. All of it is a value before the store is asked.

pub mod fields;
mod filter;
mod key;
mod search;
mod sort;
pub(crate) mod token;

use penstock_metastore::{Cursor, Listed, Listing, Page, Predicate};
use serde_json::Value;

use crate::error::ApiError;
use crate::wire::{Query, Reply};

pub use fields::Listable;
pub use key::TokenKeyError;
pub use search::AskedSearch;
pub use token::TokenKey;

/// Rows of a page when the request does not say.
const DEFAULT_PAGE: u32 = 20;
/// Most rows of a page.
const LARGEST_PAGE: i32 = 200;

/// What a request says about a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    page_token: String,
    page_size: i32,
    sort_by: String,
    filter: String,
}

/// What the store is asked, and what a token of the next page has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<F> {
    /// The question.
    pub listing: Listing<F>,
    sort_by: String,
    filter: String,
}

impl ListRequest {
    /// Takes it from the query.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        Ok(Self {
            page_token: query.text("page_token")?.to_owned(),
            page_size: query.integer("page_size")?,
            sort_by: query.text("sort_by")?.to_owned(),
            filter: query.text("filter")?.to_owned(),
        })
    }

    /// What to ask the store. `scope` is added to what the request filters by; it is no part of tokens.
    pub fn ask<F: Listable>(self, key: &TokenKey, scope: Vec<Predicate<F>>) -> Result<Asked<F>, ApiError> {
        let size = page_size(self.page_size)?;
        let (mut sort_by, mut filter, mut from) = (self.sort_by, self.filter, None);
        if !self.page_token.is_empty() {
            let token = token::open(&self.page_token, F::NAME, key)?;
            let same_sort = sort_by.is_empty() || sort::parse::<F>(&sort_by)? == sort::parse::<F>(&token.sort_by)?;
            let same_filter = filter.is_empty() || filter::parse::<F>(&filter)? == filter::parse::<F>(&token.filter)?;
            if !same_sort || !same_filter {
                return Err(ApiError::invalid(
                    "page token does not match the supplied sort by and/or filtering criteria. Either specify the same \
                     criteria or leave the latter empty if page token is specified",
                ));
            }
            (sort_by, filter, from) = (token.sort_by, token.filter, Some(token.cursor));
        }
        let (sort, descending) = sort::parse::<F>(&sort_by)?;
        let mut predicates = scope;
        predicates.extend(filter::parse::<F>(&filter)?);
        Ok(Asked { listing: Listing { predicates, sort, descending, from, size }, sort_by, filter })
    }
}

impl<F: Listable> Asked<F> {
    /// The reply that shows a page. Rows that cannot be read are shown as an id and an error.
    pub fn reply<T>(
        &self,
        key: &TokenKey,
        page: Page<T>,
        (list, id): (&str, &str),
        show: impl Fn(T) -> Value,
    ) -> Result<Reply, ApiError> {
        let Page { rows, next, total } = page;
        let token = next.map(|cursor| self.next_token(key, cursor)).transpose()?.unwrap_or_default();
        Ok(Reply::new().list(list, shown(rows, id, show)).count("total_size", total).text("next_page_token", token))
    }

    fn next_token(&self, key: &TokenKey, cursor: Cursor) -> Result<String, ApiError> {
        token::seal(F::NAME, &self.sort_by, &self.filter, cursor, key)
    }
}

/// Rows as they are shown; one that cannot be read as its id and an error.
fn shown<T>(rows: Vec<Listed<T>>, id: &str, show: impl Fn(T) -> Value) -> impl Iterator<Item = Value> {
    rows.into_iter().map(move |row| match row {
        Listed::Readable(row) => show(row),
        Listed::Unreadable(row) => {
            tracing::warn!(row = row.row, reason = row.reason, "a row of a list cannot be read");
            let error = ApiError::internal(format!("cannot read {}: {}", row.row, row.reason));
            Reply::new().text(id, row.row).message("error", error.to_status()).into()
        }
    })
}

fn page_size(asked: i32) -> Result<u32, ApiError> {
    match u32::try_from(asked.min(LARGEST_PAGE)) {
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(size) => Ok(size),
        Err(_) => Err(ApiError::invalid(format!("The page size should be greater than 0. Got {asked}"))),
    }
}

#[cfg(test)]
mod tests;
