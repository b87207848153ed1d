//! Thrift's compact protocol, as far as headers of pages and schemas need it: what has to be known of them before the
//! decoder sees them, it tells nobody.

/// Values within values, at most.
const DEEPEST: u8 = 32;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const INTEGERS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Reads from the front. Everything is `None` where the bytes end, or make no sense.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact<'a> {
    rest: &'a [u8],
}

/// A field that a struct begins with, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Of { id: i16, kind: u8 },
    End,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Compact<'a> {
        Compact { rest: bytes }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn pass(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed integer of any width.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The next field of a struct; `last` is the id of the one before.
    pub(super) fn field(&mut self, last: &mut i16) -> Option<Field> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(Field::End);
        }
        let id = match byte >> 4 {
            0 => i16::try_from(self.integer()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        *last = id;
        Some(Field::Of { id, kind: byte & 0x0f })
    }

    /// The length of a list, and what it is of.
    pub(super) fn list(&mut self) -> Option<(usize, u8)> {
        let byte = self.byte()?;
        let length = match byte >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            length => usize::from(length),
        };
        Some((length, byte & 0x0f))
    }

    /// Passes over the value of a field.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.pass(1),
            _ if INTEGERS.contains(&kind) => self.varint().map(drop),
            DOUBLE => self.pass(8),
            UUID => self.pass(16),
            BINARY => {
                let length = self.varint()?;
                self.pass(usize::try_from(length).ok()?)
            }
            LIST | SET => {
                let (length, of) = self.list()?;
                (0..length).try_for_each(|_| self.skip_element(of, depth))
            }
            MAP => {
                let length = self.varint()?;
                if length == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..length).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Field::Of { kind, .. } = self.field(&mut last)? {
                    self.skip_within(kind, depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Booleans of fields are in their heads, those of lists are bytes.
    fn skip_element(&mut self, kind: u8, depth: u8) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { self.pass(1) } else { self.skip_within(kind, depth) }
    }
}

/// Whether a field is true.
pub(super) fn is_true(kind: u8) -> bool {
    kind == TRUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_passed_over() {
        // 1: i32 = -3; 2: list<i32> [1, 2]; 4: true; 20: struct { 1: binary "ab" }; end
        let bytes = [0x15, 5, 0x19, 0x25, 2, 4, 0x21, 0x0c, 40, 0x18, 2, b'a', b'b', 0, 0, 9];
        let mut reader = Compact::new(&bytes);
        let mut last = 0;
        assert_eq!(reader.field(&mut last), Some(Field::Of { id: 1, kind: 5 }));
        assert_eq!(reader.integer(), Some(-3));
        assert_eq!(reader.field(&mut last), Some(Field::Of { id: 2, kind: LIST }));
        let (length, of) = reader.list().expect("a list");
        assert_eq!((length, of, reader.integer(), reader.integer()), (2, 5, Some(1), Some(2)));
        assert_eq!(reader.field(&mut last), Some(Field::Of { id: 4, kind: TRUE }));
        assert_eq!(reader.field(&mut last), Some(Field::Of { id: 20, kind: STRUCT }));
        assert_eq!(reader.skip(STRUCT), Some(()));
        assert_eq!((reader.field(&mut last), reader.left()), (Some(Field::End), 1));
        assert_eq!(Compact::new(&bytes).skip(STRUCT), Some(()));
        for length in 0..bytes.len() - 1 {
            assert_eq!(Compact::new(&bytes[..length]).skip(STRUCT), None, "{length}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let nested = vec![0x1c; 100];
        assert_eq!(Compact::new(&nested).skip(STRUCT), None);
        // A list of 2^62 structs, and a text as long.
        let long = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
        assert_eq!(Compact::new(&long).skip(STRUCT), None);
        assert_eq!(Compact::new(&[0xff; 20]).integer(), None);
        assert_eq!(Compact::new(&[0x1e, 1]).skip(STRUCT), None);
    }
}
