//! JSON as KFP's clients write and read it: both spellings of field names, null for unset, enums by name or number,
//! 64-bit integers as text or number; replies in `snake_case` without default values.

pub mod body;
pub(crate) mod conditional;
pub mod query;
pub mod read;
pub mod time;
pub mod write;

pub use body::RequestBody;
pub use query::Query;
pub use read::{Enumeration, Fields, WireError};
pub use write::Reply;
