//! What SQLite and PostgreSQL do not share.

use std::borrow::Cow;
use std::fmt::Write;

/// Which SQL a store understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Nobody's id, as PostgreSQL's layout has it where there is none.
const NIL: &str = "'00000000-0000-0000-0000-000000000000'";

impl Dialect {
    /// Appends the place of a value.
    pub(super) fn push_placeholder(self, sql: &mut String, number: usize) {
        match self {
            // SQLite looks for the name of each value among those of all: a thousand without names are bound faster.
            Self::Sqlite => sql.push('?'),
            Self::Postgres => {
                let _ = write!(sql, "${number}");
            }
        }
    }

    pub(super) fn explain(self) -> &'static str {
        match self {
            Self::Sqlite => "EXPLAIN QUERY PLAN ",
            Self::Postgres => "EXPLAIN ",
        }
    }

    /// The column of [`Dialect::explain`].
    pub(crate) fn explained_column(self) -> &'static str {
        match self {
            Self::Sqlite => "detail",
            Self::Postgres => "QUERY PLAN",
        }
    }

    /// The id of zeros.
    pub(crate) fn nil_id(self) -> &'static str {
        match self {
            Self::Sqlite => "zeroblob(16)",
            Self::Postgres => NIL,
        }
    }

    /// A column of text as it is compared and sorted without regard to the case of ASCII letters. SQLite's layout says so
    /// of the columns themselves; PostgreSQL's has indices on this very expression. Goes with [`Dialect::fold`].
    pub(crate) fn folded(self, column: &str) -> Cow<'_, str> {
        match self {
            Self::Sqlite => Cow::Borrowed(column),
            // The layout gives all columns the collation "C", for which only ASCII has lower case.
            Self::Postgres => Cow::Owned(format!("lower({column})")),
        }
    }

    /// A column of a subquery that has [`Dialect::folded`] in it, to sort by.
    pub(crate) fn kept_folded(self, column: &str) -> Cow<'_, str> {
        match self {
            Self::Sqlite => Cow::Owned(format!("{column} COLLATE NOCASE")),
            Self::Postgres => Cow::Borrowed(column),
        }
    }

    /// A text to compare with [`Dialect::folded`].
    pub(crate) fn fold(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Postgres if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(text.to_ascii_lowercase())
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// An expression of text that has no such column behind it, to be compared with a text of [`Dialect::fold`].
    pub(crate) fn folded_expression(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("{expression} COLLATE NOCASE"),
            Self::Postgres => format!("lower({expression}) COLLATE \"C\""),
        }
    }

    /// What stands between a text and a pattern of [`Dialect::fold`] and after it. `%` and `_` have a meaning, and no
    /// character takes it from them.
    pub(crate) fn like(self, expression: &str) -> (String, &'static str) {
        match self {
            Self::Sqlite => (format!("{expression} LIKE "), ""),
            Self::Postgres => (format!("lower({expression}) COLLATE \"C\" LIKE "), " ESCAPE ''"),
        }
    }

    /// Of a pattern that an index of trigrams may read otherwise than the text itself is compared: one that it reads alike
    /// and that every text fits that fits the other, and what makes an expression of text none that has an index.
    ///
    /// PostgreSQL's makes letters small as the language of the database does it, which may depend on the letters beside them.
    pub(crate) fn findable(self, pattern: &str) -> Option<(String, &'static str)> {
        let has_cases = |character: char| !character.is_ascii() && character.to_lowercase().ne([character]);
        if self == Self::Sqlite || !pattern.contains(has_cases) {
            return None;
        }
        let any = pattern.chars().map(|character| if has_cases(character) { '_' } else { character });
        Some((any.collect(), " || ''"))
    }

    /// An id as it is written; nothing for the id of zeros.
    pub(crate) fn written_id(self, column: &str) -> String {
        match self {
            Self::Sqlite => {
                let digits = |from: u8, count: u8| format!("substr(hex({column}), {from}, {count})");
                let groups = [digits(1, 8), digits(9, 4), digits(13, 4), digits(17, 4), digits(21, 12)];
                let written = groups.join(" || '-' || ");
                format!("CASE WHEN {column} = {} THEN '' ELSE lower({written}) END", self.nil_id())
            }
            Self::Postgres => format!("(CASE WHEN {column} = {NIL} THEN '' ELSE CAST({column} AS TEXT) END)"),
        }
    }

    /// How many characters of a text of any length its index has; `None` if that is all of it. Conditions have to name the
    /// beginning too, then. Goes with the layout.
    pub(crate) fn indexed_beginning(self) -> Option<u32> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(400),
        }
    }

    /// The tags of a row as one JSON object.
    pub(crate) fn tags_json(self, table: &str, reference: &str, entity: &str) -> String {
        let object = match self {
            Self::Sqlite => "json_group_object(tag_key, tag_value)",
            Self::Postgres => "COALESCE(CAST(json_object_agg(tag_key, tag_value) AS TEXT), '{}')",
        };
        format!("(SELECT {object} FROM {table} WHERE {reference} = {entity}.id) AS tags_json")
    }

    /// What stands before and after a condition that nearly all rows meet, so that no index is chosen for it. PostgreSQL has
    /// to find that out by itself.
    pub(crate) fn usual(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("likely(", ")"),
            Self::Postgres => ("", ""),
        }
    }

    /// A join that goes from the left to the right. PostgreSQL has to find that out by itself.
    pub(crate) fn join_in_order(self) -> &'static str {
        match self {
            Self::Sqlite => "CROSS JOIN",
            Self::Postgres => "JOIN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_have_cases_are_not_left_to_an_index() {
        assert_eq!(Dialect::Postgres.findable("%ÄbC ΟΔΟΣ ß%"), Some(("%_bC ____ ß%".to_owned(), " || ''")));
        assert_eq!(Dialect::Postgres.findable("%ABC äß 漢%"), None);
        assert_eq!(Dialect::Sqlite.findable("%ÄbC%"), None);
    }
}
