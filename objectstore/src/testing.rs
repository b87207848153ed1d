//! What tests of this and other crates need besides the doubles: a real S3 server.

mod certificates;
mod ports;
pub mod seaweed;
