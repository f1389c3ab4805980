//! Reading the text of a PDF of ours: what its pages show is compared with a golden text.

use std::{collections::BTreeMap, io::Read as _};

use flate2::read::ZlibDecoder;

/// What each page shows: one line for each height at which something stands, its pieces parted by ` | `.
pub fn text_of(pdf: &[u8]) -> Vec<String> {
    let objects = objects(pdf);
    let maps = [9, 14].map(|id| {
        objects
            .get(&id)
            .map_or_else(BTreeMap::new, |object| characters(&inflated(object)))
    });
    let pages = objects.keys().filter(|id| **id >= 15 && *id % 2 == 0);
    pages.map(|id| shown(&inflated(objects[id]), &maps)).collect()
}

/// The objects by number.
fn objects(pdf: &[u8]) -> BTreeMap<u32, &[u8]> {
    let mut objects = BTreeMap::new();
    let table = find(pdf, b"\nxref\n").expect("a table of objects");
    let rows = std::str::from_utf8(&pdf[table..]).expect("text").lines().skip(4);
    for (number, row) in rows.take_while(|row| row.ends_with(" n")).enumerate() {
        let at: usize = row[..10].parse().expect("a place");
        let end = at + find(&pdf[at..], b"\nendobj").expect("an end");
        let name = format!("{} 0 obj", number + 1);
        assert!(
            pdf[at..].starts_with(name.as_bytes()),
            "object {number} stands where the table says"
        );
        objects.insert(u32::try_from(number + 1).expect("small"), &pdf[at..end]);
    }
    objects
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn inflated(object: &[u8]) -> Vec<u8> {
    let at = find(object, b"stream\n").expect("a stream") + b"stream\n".len();
    let mut bytes = Vec::new();
    ZlibDecoder::new(&object[at..])
        .read_to_end(&mut bytes)
        .expect("packed bytes");
    bytes
}

fn characters(map: &[u8]) -> BTreeMap<u16, char> {
    let map = std::str::from_utf8(map).expect("text");
    let pair = |line: &str| {
        let (glyph, character) = line.strip_prefix('<')?.strip_suffix('>')?.split_once("> <")?;
        let units: Vec<u16> = (0..character.len() / 4)
            .map(|at| u16::from_str_radix(&character[4 * at..4 * at + 4], 16))
            .collect::<Result<_, _>>()
            .ok()?;
        let character = char::decode_utf16(units).next()?.ok()?;
        Some((u16::from_str_radix(glyph, 16).ok()?, character))
    };
    map.lines().filter_map(pair).collect()
}

fn shown(content: &[u8], maps: &[BTreeMap<u16, char>; 2]) -> String {
    let (mut font, mut lines, mut words) = (0, Vec::<(String, String)>::new(), Vec::new());
    let mut rest = content;
    while let Some(first) = rest.first() {
        match first {
            b'(' | b'<' => {
                let (bytes, length) = string(rest);
                let text: String = bytes
                    .chunks(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    .map(|glyph| maps[font].get(&glyph).copied().unwrap_or('?'))
                    .collect();
                let height: String = words.last().cloned().unwrap_or_default();
                match lines.last_mut() {
                    Some((at, line)) if *at == height => *line += &format!(" | {text}"),
                    _ => lines.push((height, text)),
                }
                rest = &rest[length..];
            }
            byte if byte.is_ascii_whitespace() => rest = &rest[1..],
            _ => {
                let end = rest
                    .iter()
                    .position(|byte| byte.is_ascii_whitespace() || b"(<".contains(byte));
                let word = String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned();
                match word.as_str() {
                    "Tf" => font = usize::from(words[words.len() - 2] == "/F1"),
                    "Td" => {}
                    _ => words.push(word),
                }
                rest = &rest[end.unwrap_or(rest.len())..];
            }
        }
    }
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

/// The bytes of a string, and how long it is in the file.
fn string(file: &[u8]) -> (Vec<u8>, usize) {
    if file[0] == b'<' {
        let end = find(file, b">").expect("an end");
        let hex = std::str::from_utf8(&file[1..end]).expect("text");
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
        return ((0..hex.len()).step_by(2).map(byte).collect(), end + 1);
    }
    let (mut bytes, mut at, mut depth) = (Vec::new(), 1, 0);
    loop {
        match file[at] {
            b'\\' => {
                at += 1;
                let plain = match file[at] {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'f' => 12,
                    b'0'..=b'7' => {
                        let octal = std::str::from_utf8(&file[at..at + 3]).expect("text");
                        at += 2;
                        u8::from_str_radix(octal, 8).expect("a byte")
                    }
                    other => other,
                };
                bytes.push(plain);
            }
            b')' if depth == 0 => return (bytes, at + 1),
            byte => {
                depth += i32::from(byte == b'(') - i32::from(byte == b')');
                bytes.push(byte);
            }
        }
        at += 1;
    }
}
