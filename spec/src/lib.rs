//! What every part of Penstock shares: the pipeline specification (parse and check), the plan of an attempt, its
//! report and manifest, the spelling of keys, and URIs.
//!
//! This crate does no I/O and knows no clock: it turns bytes into checked values and values into text.

pub mod artifact;
pub mod cel;
pub mod check;
pub mod executor;
pub mod ir;
pub mod keys;
pub mod limits;
pub mod log_times;
pub mod manifest;
pub mod mount_path;
pub mod object_name;
pub mod package;
pub mod parse;
pub mod placeholder;
pub mod plan;
pub mod platform;
pub mod pod;
pub mod pod_data;
pub mod pod_state;
pub mod quantity;
pub mod report;
pub mod retention;
pub mod run;
pub mod settings;
pub mod strict_json;
pub mod timings;
pub mod types;
pub mod uri;
pub mod value;

pub use jiff::Timestamp;
