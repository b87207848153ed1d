//! The shape of what is said of the cache.

use crate::openapi::schema::{Kind, Message, always, shown};

/// What became of a task's question to the cache.
pub(super) const VERDICT: Message = Message {
    name: "CacheVerdict",
    fields: &[
        always("run_id", Kind::Id),
        always("task_id", Kind::Id),
        shown("task_path", Kind::Text),
        shown("cache_key", Kind::Text),
        always("outcome", Kind::Words(&["OFF", "NOT_ASKED", "HIT", "MISS"])),
        shown("off_by", Kind::Words(&["DEPLOYMENT", "PIPELINE", "RUN", "TASK", "RETRY"])),
        shown("reason", Kind::Text),
        shown("source", Kind::Message(&RESULT)),
        shown("stored", Kind::Boolean),
        shown("too_old", Kind::Boolean),
        shown("passed_over", Kind::Message(&RESULT)),
        shown("nearest", Kind::Message(&RESULT)),
    ],
};

/// A result of an earlier task.
const RESULT: Message = Message {
    name: "CachedResult",
    fields: &[
        always("run_id", Kind::Id),
        shown("task_id", Kind::Id),
        shown("task_path", Kind::Text),
        shown("entry_id", Kind::Int64),
        shown("pipeline_name", Kind::Text),
        shown("cache_key", Kind::Text),
        shown("created_at", Kind::Time),
        shown("differences", Kind::List(&Kind::Message(&DIFFERENCE))),
    ],
};

/// What differs; `then` and `now` are values of any kind.
const DIFFERENCE: Message = Message {
    name: "CacheDifference",
    fields: &[always("field", Kind::Text), shown("then", Kind::Any), shown("now", Kind::Any)],
};

/// Results in the cache.
pub(super) const ENTRIES: Message = Message {
    name: "CachedResults",
    fields: &[shown("entries", Kind::List(&Kind::Message(&RESULT))), shown("next_page_token", Kind::Text)],
};

/// How many results were forgotten.
pub(super) const EVICTED: Message = Message { name: "ForgottenResults", fields: &[always("evicted", Kind::Int32)] };
