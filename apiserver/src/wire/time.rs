//! Points in time: RFC 3339, UTC, whole seconds.

use penstock_spec::Timestamp;

/// The first second of year 1: what clients in Go send for a time that is not set.
const UNSET_SECOND: i64 = -62_135_596_800;
const NANOSECONDS: i128 = 1_000_000_000;

/// Reads a time; `None` is one that is not set.
pub fn parse(text: &str) -> Result<Option<Timestamp>, String> {
    let time: Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    Ok((second(time) != UNSET_SECOND).then_some(time))
}

/// The second that a time lies in, counted from 1970.
pub fn second(time: Timestamp) -> i64 {
    // The range of a timestamp, in seconds, fits well.
    i64::try_from(time.as_nanosecond().div_euclid(NANOSECONDS)).unwrap_or(i64::MAX)
}

/// Writes a time.
pub fn format(time: Timestamp) -> String {
    Timestamp::from_second(second(time)).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_whole_seconds() {
        let format = |text: &str| format(text.parse().unwrap());
        assert_eq!(format("2026-08-01T10:00:00.999Z"), "2026-08-01T10:00:00Z");
        assert_eq!(format("2026-08-01T12:00:00+02:00"), "2026-08-01T10:00:00Z");
        assert_eq!(format("1969-12-31T23:59:59.5Z"), "1969-12-31T23:59:59Z");
        assert_eq!(super::format(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn year_one_is_unset() {
        for text in ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"] {
            assert_eq!(parse(text), Ok(None), "{text}");
        }
        assert!(parse("1970-01-01T00:00:00Z").unwrap().is_some());
        for text in ["", "yesterday", "2026-08-01", "2026-08-01T10:00:00", "2026-13-01T10:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
