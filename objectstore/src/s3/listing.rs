//! Listings as servers write them (F-28): URL-encoded or not, out of order, with keys that nobody asked for.

use aws_sdk_s3::{operation::list_objects_v2::ListObjectsV2Output, types::EncodingType};

use super::{size_of, timestamp_of};
use crate::store::{ListPage, ObjectMeta};

/// Reads one page; the objects come out sorted and start with `prefix`.
pub(super) fn read_page(
    output: ListObjectsV2Output,
    prefix: &str,
    page: Option<&str>,
) -> Result<ListPage, &'static str> {
    let encoded = output.encoding_type == Some(EncodingType::Url);
    let mut objects = Vec::new();
    for object in output.contents.unwrap_or_default() {
        let Some(key) = object.key else { continue };
        let key = if encoded { decode(&key).ok_or("a key in the listing is not UTF-8")? } else { key };
        if key.starts_with(prefix) {
            objects.push(ObjectMeta {
                key,
                size: size_of(object.size),
                modified: timestamp_of(object.last_modified.as_ref()),
                etag: object.e_tag,
            });
        }
    }
    objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let next = match (output.is_truncated, output.next_continuation_token) {
        (Some(true), Some(next)) if Some(next.as_str()) == page => {
            return Err("the server repeats a page of the listing");
        }
        (Some(true), Some(next)) => Some(next),
        (Some(true), None) => return Err("the listing is cut off and names no next page"),
        _ => None,
    };
    Ok(ListPage { objects, next })
}

/// Undoes `encoding-type=url`: percent signs, and a plus for a blank.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::Object;

    use super::*;

    fn output(keys: &[&str]) -> ListObjectsV2Output {
        let contents = keys.iter().map(|key| Object::builder().key(*key).size(1).build()).collect();
        ListObjectsV2Output::builder().set_contents(Some(contents)).build()
    }

    #[test]
    fn f28_pages_are_sorted_and_foreign_keys_dropped() {
        let page = read_page(output(&["p/b", "p/a", "q/c"]), "p/", None).expect("readable");
        let keys: Vec<_> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["p/a", "p/b"]);
    }

    #[test]
    fn f28_keys_are_decoded_only_when_the_server_says_that_they_are_encoded() {
        let mut encoded = output(&["a%20b+c%2525%zz", "%ff"]);
        let plain = read_page(encoded.clone(), "", None).expect("readable");
        assert_eq!(plain.objects.last().map(|object| object.key.as_str()), Some("a%20b+c%2525%zz"));
        encoded.encoding_type = Some(EncodingType::Url);
        assert!(read_page(encoded.clone(), "", None).is_err());
        encoded.contents.as_mut().expect("set").pop();
        let decoded = read_page(encoded, "", None).expect("readable");
        assert_eq!(decoded.objects.last().map(|object| object.key.as_str()), Some("a b c%25%zz"));
    }

    #[test]
    fn f28_listing_that_would_never_end_is_an_error() {
        let mut page = output(&["a"]);
        page.is_truncated = Some(true);
        assert!(read_page(page.clone(), "", None).is_err());
        page.next_continuation_token = Some("x".into());
        assert!(read_page(page.clone(), "", Some("x")).is_err());
        assert_eq!(read_page(page, "", Some("w")).expect("goes on").next.as_deref(), Some("x"));
    }
}
