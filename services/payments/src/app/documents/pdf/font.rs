//! Fonts: how wide a text is, which glyphs it has, and what of a font goes into a document.

use std::collections::BTreeMap;

use pdf_writer::{
    Chunk, Filter, Name, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use super::{super::DocumentError, deflated};

/// What stands for a character that a font lacks.
const LACKING: char = '□';

const IDENTITY: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// One font, and what a document has used of it so far.
pub(super) struct Font {
    name: &'static str,
    data: &'static [u8],
    face: Face<'static>,
    used: GlyphRemapper,
    characters: BTreeMap<u16, char>,
    lacks: bool,
}

/// The five objects that a font is in a document.
#[derive(Clone, Copy)]
pub(super) struct FontRefs(pub(super) [Ref; 5]);

impl Font {
    pub(super) fn new(name: &'static str, data: &'static [u8]) -> Result<Self, DocumentError> {
        Ok(Self {
            name,
            data,
            face: Face::parse(data, 0).map_err(|_| DocumentError::Font(name))?,
            used: GlyphRemapper::new(),
            characters: BTreeMap::new(),
            lacks: false,
        })
    }

    pub(super) const fn lacks(&self) -> bool {
        self.lacks
    }

    fn glyph(&self, character: char) -> (GlyphId, bool) {
        self.face.glyph_index(character).map_or_else(
            || (self.face.glyph_index(LACKING).unwrap_or_default(), true),
            |glyph| (glyph, false),
        )
    }

    /// How wide a text is at a size; both in tenths of a point.
    pub(super) fn width(&self, text: &str, size: i32) -> i32 {
        let advance = |character| i32::from(self.face.glyph_hor_advance(self.glyph(character).0).unwrap_or(0));
        let units: i32 = text.chars().map(advance).sum();
        let whole = i32::from(self.face.units_per_em());
        (units * size + whole - 1) / whole
    }

    /// The text as the document's font has it: two bytes for each glyph.
    pub(super) fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * text.len());
        for character in text.chars() {
            let (glyph, lacks) = self.glyph(character);
            self.lacks |= lacks;
            let id = self.used.remap(glyph.0);
            self.characters
                .entry(id)
                .or_insert(if lacks { LACKING } else { character });
            bytes.extend(id.to_be_bytes());
        }
        bytes
    }

    /// The objects of the font, with the glyphs that were used.
    pub(super) fn objects(
        &self,
        FontRefs([font, cid, descriptor, file, cmap]): FontRefs,
    ) -> Result<Vec<(Ref, Chunk)>, DocumentError> {
        let failed = || DocumentError::Font(self.name);
        let data = subsetter::subset(self.data, 0, &self.used).map_err(|_| failed())?;
        let name = format!("VOUCHX+{}", self.name);
        let name = Name(name.as_bytes());
        let mut objects = Vec::new();
        let mut object = |id, write: &dyn Fn(&mut Chunk)| {
            let mut chunk = Chunk::new();
            write(&mut chunk);
            objects.push((id, chunk));
        };
        object(font, &|chunk| {
            chunk
                .type0_font(font)
                .base_font(name)
                .encoding_predefined(Name(b"Identity-H"))
                .descendant_font(cid)
                .to_unicode(cmap);
        });
        object(cid, &|chunk| {
            let mut cid_font = chunk.cid_font(cid);
            cid_font
                .subtype(CidFontType::Type2)
                .base_font(name)
                .system_info(IDENTITY)
                .font_descriptor(descriptor)
                .cid_to_gid_map_predefined(Name(b"Identity"));
            let widths = self.used.remapped_gids().map(|glyph| {
                let advance = self.face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0);
                f32::from(self.per_mille(i32::from(advance)))
            });
            cid_font.widths().consecutive(0, widths);
        });
        object(descriptor, &|chunk| self.describe(chunk, descriptor, name, file));
        let packed = deflated(&data);
        let length = i32::try_from(data.len()).map_err(|_| failed())?;
        object(file, &|chunk| {
            let mut stream = chunk.stream(file, &packed);
            stream.filter(Filter::FlateDecode);
            stream.pair(Name(b"Length1"), length);
        });
        let mut map = UnicodeCmap::new(Name(b"Custom"), IDENTITY);
        for (id, character) in &self.characters {
            map.pair(*id, *character);
        }
        let map = deflated(&map.finish());
        object(cmap, &|chunk| {
            chunk.cmap(cmap, &map).filter(Filter::FlateDecode);
        });
        Ok(objects)
    }

    fn describe(&self, chunk: &mut Chunk, id: Ref, name: Name<'_>, file: Ref) {
        let bounds = self.face.global_bounding_box();
        let unit = |units: i16| f32::from(self.per_mille(i32::from(units)));
        chunk
            .font_descriptor(id)
            .name(name)
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Rect::new(
                unit(bounds.x_min),
                unit(bounds.y_min),
                unit(bounds.x_max),
                unit(bounds.y_max),
            ))
            .italic_angle(0.0)
            .ascent(unit(self.face.ascender()))
            .descent(unit(self.face.descender()))
            .cap_height(unit(self.face.capital_height().unwrap_or_default()))
            .stem_v(80.0)
            .font_file2(file);
    }

    /// Units of the font as thousandths of its size, which is how documents say them.
    fn per_mille(&self, units: i32) -> i16 {
        i16::try_from(units * 1_000 / i32::from(self.face.units_per_em())).unwrap_or(i16::MAX)
    }
}
