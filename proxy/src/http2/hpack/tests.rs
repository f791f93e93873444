//! Lists of fields, written and read: with examples of RFC 7541 appendix C, and at random.

use proptest::prelude::*;

use super::huffman;
use super::*;

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(Field, usize)>, Unreadable> {
    let mut fields = Vec::new();
    decoder.read(block, |field, size| fields.push((field.clone(), size)))?;
    Ok(fields)
}

fn field(name: &str, value: &str) -> (Field, usize) {
    let size = name.len() + value.len() + OVERHEAD;
    let value = bytes::Bytes::copy_from_slice(value.as_bytes());
    (Field::new(name.as_bytes(), value), size)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let first = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ];
    let second = [&first[..], &[("cache-control", "no-cache")]].concat();
    let third = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ];
    // C.3 and C.4: the same without and with texts in bits.
    for blocks in [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ] {
        let mut decoder = Decoder::default();
        for (block, expected) in blocks.iter().zip([&first[..], &second, &third]) {
            let expected: Vec<_> = expected.iter().map(|(n, v)| field(n, v)).collect();
            assert_eq!(read(&mut decoder, &hex(block)), Ok(expected));
        }
    }
}

#[test]
fn what_is_no_list_is_refused() {
    for (what, block) in [
        ("no such entry", "be"),
        ("entry 0", "80"),
        ("a number that has no end", "ff ff ff ff ff ff"),
        ("a text that is too short", "00 03 61"),
        ("a table that is too large", "3f e2 1f"),
        ("a size after a field", "82 20"),
        ("padding of zeros", "00 81 00 01 61"),
        ("padding of a whole byte", "00 82 1f ff 01 61"),
        ("the end of a text within it", "00 84 ff ff ff ff 01 61"),
    ] {
        let read = read(&mut Decoder::default(), &hex(block));
        assert_eq!(read, Err(Unreadable), "{what}");
    }
}

#[test]
fn names_and_values_that_are_none_are_told_and_the_rest_is_read() {
    for (name, value) in [
        ("X", "a"),
        ("", "a"),
        ("a b", "a"),
        (":other", "a"),
        ("a", "b\r\nc"),
        ("a", "\0"),
        ("a", " b"),
        ("a", "b\t"),
    ] {
        let mut block = vec![64, u8::try_from(name.len()).unwrap()];
        block.extend(name.bytes());
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.bytes());
        // It has been remembered all the same.
        block.extend([0xbe, 0x82]);
        let size = name.len() + value.len() + OVERHEAD;
        let bad = (Field::Bad, size);
        let read = read(&mut Decoder::default(), &block);
        assert_eq!(read, Ok(vec![bad.clone(), bad, field(":method", "GET")]));
    }
}

#[test]
fn what_comes_again_is_short_and_what_does_not_is_not_remembered() {
    let mut encoder = Encoder::default();
    let mut write = |name, value: &str| {
        let mut out = Vec::new();
        encoder.field(&mut out, Name::Text(name), value.as_bytes());
        out
    };
    let long = "value".repeat(20);
    let lengths: Vec<_> = (0..4).map(|_| write("x-again", &long).len()).collect();
    assert_eq!(lengths, [110, 110, 1, 1]);
    for number in 0..1_000 {
        assert_eq!(write("x-once", &format!("{number:04}"))[0], 0);
    }
    assert_eq!(write("x-again", &long), [0xbe]);
}

#[test]
fn secrets_are_never_remembered() {
    for _ in 0..3 {
        let mut out = Vec::new();
        Encoder::secret(&mut out, Name::Text("authorization"), b"secret");
        assert_eq!(out[..2], [0x1f, 23 - 15]);
        let read = read(&mut Decoder::default(), &out);
        assert_eq!(read, Ok(vec![field("authorization", "secret")]));
    }
}

fn a_field() -> impl Strategy<Value = (String, String)> {
    let names = prop_oneof![
        Just("content-type".to_owned()),
        Just("date".to_owned()),
        "[a-z][a-z0-9-]{0,30}",
        Just("x".repeat(5_000)),
    ];
    let values = prop_oneof![
        "[!-~]{0,20}",
        "[ab]",
        Just("v".repeat(700)),
        Just("v".repeat(3_000)),
    ];
    (names, values)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        lists in prop::collection::vec(prop::collection::vec(a_field(), 0..12), 1..20),
        limits in prop::collection::vec(0..5_000_usize, 0..3),
    ) {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut limits = limits.into_iter();
        for list in lists.iter().chain(&lists) {
            if let Some(limit) = limits.next() {
                encoder.limit(limit);
            }
            let mut block = Vec::new();
            encoder.begin(&mut block);
            for (name, value) in list {
                encoder.field(&mut block, Name::Text(name), value.as_bytes());
            }
            let expected: Vec<_> = list.iter().map(|(n, v)| field(n, v)).collect();
            prop_assert_eq!(read(&mut decoder, &block), Ok(expected));
        }
    }

    #[test]
    fn texts_in_bits_are_read(text in prop::collection::vec(any::<u8>(), 0..100)) {
        let bits = huffman::write(&text);
        prop_assert_eq!(huffman::read(&bits), Ok(text));
    }

    #[test]
    fn nothing_panics(block in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&mut Decoder::default(), &block);
        let _ = huffman::read(&block);
    }
}
