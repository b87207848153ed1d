//! Frames: a length of four bytes, little-endian, and that many bytes of JSON. The decoder is fed what arrives and is
//! total: no sequence of bytes makes it panic or hold more than its limit and one read.

use serde::Serialize;
use thiserror::Error;

use crate::protocol::MAX_FRAME;

const HEADER: usize = 4;

/// Why there is no frame.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The length is more than what is allowed here.
    #[error("a frame of {size} bytes is larger than the {limit} bytes allowed here")]
    TooLarge {
        /// What the header says.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The message has no JSON form.
    #[error("cannot write a message as JSON")]
    Encode(#[source] serde_json::Error),
}

/// A message as a frame.
pub fn encode_frame<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Encode)?;
    let size = frame.len() - HEADER;
    let too_large = || FrameError::TooLarge { size, limit: MAX_FRAME };
    if size > MAX_FRAME {
        return Err(too_large());
    }
    let header = u32::try_from(size).map_err(|_| too_large())?.to_le_bytes();
    frame[..HEADER].copy_from_slice(&header);
    Ok(frame)
}

/// Takes frames out of a stream of bytes.
#[derive(Debug)]
pub struct FrameDecoder {
    limit: usize,
    buffer: Vec<u8>,
    /// Bytes at the beginning of the buffer that were taken out.
    taken: usize,
}

impl FrameDecoder {
    /// A decoder for frames of up to `limit` bytes.
    pub fn new(limit: usize) -> FrameDecoder {
        FrameDecoder { limit, buffer: Vec::new(), taken: 0 }
    }

    /// Changes the limit for the frames that come next.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole frame, without its header; none when more bytes are needed. An error takes nothing: with a
    /// higher limit the frame may be asked for again.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let waiting = &self.buffer[self.taken..];
        let Some((header, rest)) = waiting.split_first_chunk::<HEADER>() else { return Ok(None) };
        let size = u32::from_le_bytes(*header) as usize;
        if size > self.limit {
            return Err(FrameError::TooLarge { size, limit: self.limit });
        }
        let Some(frame) = rest.get(..size) else { return Ok(None) };
        let frame = frame.to_vec();
        self.taken += HEADER + size;
        if self.taken == self.buffer.len() {
            // Nothing of a large message is kept after it.
            self.buffer = Vec::new();
            self.taken = 0;
        }
        Ok(Some(frame))
    }

    /// Whether a frame has begun to arrive and is not taken out.
    pub fn is_partial(&self) -> bool {
        self.taken < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(decoder: &mut FrameDecoder) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(texts in prop::collection::vec(".{0,50}", 0..8), cuts in prop::collection::vec(1_usize..40, 1..20)) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| encode_frame(text).unwrap()).collect();
            let mut decoder = FrameDecoder::new(MAX_FRAME);
            let (mut rest, mut found) = (&bytes[..], Vec::new());
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.feed(now);
                found.extend(drain(&mut decoder).unwrap());
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let found: Vec<String> = found.iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect();
            prop_assert_eq!(found, texts);
            prop_assert!(!decoder.is_partial());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16), limit in 0_usize..100) {
            let mut decoder = FrameDecoder::new(limit);
            for piece in &pieces {
                decoder.feed(piece);
                match drain(&mut decoder) {
                    Ok(frames) => prop_assert!(frames.iter().all(|frame| frame.len() <= limit)),
                    Err(FrameError::TooLarge { size, .. }) => {
                        prop_assert!(size > limit);
                        return Ok(());
                    }
                    Err(error) => panic!("{error}"),
                }
                prop_assert!(decoder.buffer.len() - decoder.taken <= limit + HEADER + 64);
            }
        }

        #[test]
        fn any_json_is_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = serde_json::from_slice::<crate::protocol::EntryMessage>(&bytes);
            let _ = serde_json::from_slice::<crate::protocol::LauncherMessage>(&bytes);
        }
    }

    #[test]
    fn a_refused_frame_may_be_asked_for_again() {
        let mut decoder = FrameDecoder::new(4);
        decoder.feed(&encode_frame(&"longer").unwrap());
        assert!(matches!(decoder.next_frame(), Err(FrameError::TooLarge { size: 8, limit: 4 })));
        decoder.set_limit(8);
        assert_eq!(decoder.next_frame().unwrap().as_deref(), Some(&b"\"longer\""[..]));
    }
}
