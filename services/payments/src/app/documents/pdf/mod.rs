//! A PDF of A4 pages: headings, facts and tables, broken over lines and pages. What is finished can be taken away at any
//! time; of a page that has been left nothing remains here but its number.
//!
//! All lengths are tenths of a point, as whole numbers. The fonts are DejaVu Sans and DejaVu Sans Bold, cut down to the Latin,
//! Greek and Cyrillic scripts; `fonts/LICENSE` says what may be done with them. Of each font a document holds the glyphs that
//! it uses. A character that they lack is shown as □, and [`Pdf::lacks_characters`] tells of it.

mod file;
mod font;

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{Chunk, Content, Filter, Name, Rect, Ref, Str, TextStr};

use self::{
    file::File,
    font::{Font, FontRefs},
};
use super::DocumentError;

const REGULAR: &[u8] = include_bytes!("fonts/DejaVuSans.subset.ttf");
const BOLD: &[u8] = include_bytes!("fonts/DejaVuSans-Bold.subset.ttf");

/// A4.
const PAGE: [i16; 2] = [5_950, 8_420];
const LEFT: i16 = 400;
const RIGHT: i16 = 5_550;
const TOP: i16 = 7_900;
const BOTTOM: i16 = 650;
/// Between two columns.
const GAP: i16 = 80;
const SMALL: i16 = 70;
const NORMAL: i16 = 90;

/// The objects of every document; the fonts follow, then pages, each with its content.
const ROOT: i32 = 1;
const INFO: i32 = 2;
const TREE: i32 = 3;
const TOTAL: i32 = 4;
const FONTS: i32 = 5;
const FIRST_PAGE: i32 = 15;

/// On which side the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A column of a table. All columns of one come to at most 5,150 tenths of a point.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// How wide it is, in tenths of a point.
    pub width: i16,
    /// Where its cells stand.
    pub align: Align,
}

/// A document.
pub struct Pdf {
    title: String,
    footer: String,
    file: File,
    fonts: [Font; 2],
    pages: Vec<Ref>,
    page: Option<Content>,
    y: i16,
    /// The table that is being written; its head stands on each page.
    table: &'static [Column],
}

/// Regular or bold, and how large.
#[derive(Clone, Copy)]
struct Style {
    bold: bool,
    size: i16,
}

const TEXT: Style = Style {
    bold: false,
    size: NORMAL,
};
/// In tables.
const CELL: Style = Style {
    bold: false,
    size: SMALL,
};
const STRONG: Style = Style {
    bold: true,
    size: SMALL,
};
const FOOT: Style = CELL;

impl Pdf {
    /// An empty document. Its title and, at the foot of each page, a line beside the page's number.
    ///
    /// # Errors
    /// If a font cannot be read, which a test rules out.
    pub fn new(title: &str, footer: &str) -> Result<Self, DocumentError> {
        let fonts = [Font::new("DejaVuSans", REGULAR)?, Font::new("DejaVuSans-Bold", BOLD)?];
        let mut pdf = Self {
            title: title.to_owned(),
            footer: footer.to_owned(),
            file: File::new(),
            fonts,
            pages: Vec::new(),
            page: None,
            y: TOP,
            table: &[],
        };
        let large = Style { bold: true, size: 160 };
        pdf.wrapped(title, LEFT, RIGHT - LEFT, large, Align::Left);
        pdf.y -= 60;
        Ok(pdf)
    }

    /// A line above what follows.
    pub fn heading(&mut self, text: &str) {
        self.table = &[];
        self.y -= 120;
        let style = Style { bold: true, size: 110 };
        // A heading does not stand alone at the foot of a page.
        self.make_room(600);
        self.wrapped(text, LEFT, RIGHT - LEFT, style, Align::Left);
        self.y -= 30;
    }

    /// A text of any length.
    pub fn paragraph(&mut self, text: &str) {
        if !self.table.is_empty() {
            self.y -= 80;
            self.table = &[];
        }
        self.wrapped(text, LEFT, RIGHT - LEFT, TEXT, Align::Left);
        self.y -= 50;
    }

    /// Names and what they stand for, one below the other.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        const COLUMNS: &[Column] = &[
            Column {
                title: "",
                width: 1_300,
                align: Align::Left,
            },
            Column {
                title: "",
                width: 3_850,
                align: Align::Left,
            },
        ];
        for (name, value) in facts {
            self.cells(COLUMNS, &[(*name).to_owned(), value.clone()], TEXT);
        }
        self.y -= 50;
    }

    /// Begins a table.
    pub fn table(&mut self, columns: &'static [Column]) {
        self.table = columns;
        self.make_room(500);
        self.head();
    }

    /// A row of the table; a cell of more than one line makes it higher, and it may go on on the next page.
    pub fn row(&mut self, cells: &[String]) {
        self.cells(self.table, cells, CELL);
    }

    /// A row that stands out: a sum.
    pub fn sum(&mut self, cells: &[String]) {
        self.make_room(200);
        let y = self.y + 90;
        self.rule(y);
        self.y -= 20;
        self.cells(self.table, cells, STRONG);
    }

    /// Whether there was a character that the fonts lack; it is shown as □.
    #[must_use]
    pub fn lacks_characters(&self) -> bool {
        self.fonts.iter().any(Font::lacks)
    }

    /// Takes what is finished.
    pub fn take(&mut self) -> Vec<u8> {
        self.file.take()
    }

    /// Ends the document, and gives what has not been taken.
    ///
    /// # Errors
    /// If a font cannot be cut down, which a test rules out.
    pub fn finish(mut self) -> Result<Vec<u8>, DocumentError> {
        self.page();
        self.leave_page();
        self.write_total();
        for (font, first) in self.fonts.iter().zip([FONTS, FONTS + 5]) {
            let refs = FontRefs([0, 1, 2, 3, 4].map(|next| Ref::new(first + next)));
            for (id, object) in font.objects(refs)? {
                self.file.write(id, &object);
            }
        }
        let mut write = |id: i32, object: &dyn Fn(&mut Chunk, Ref)| {
            let mut chunk = Chunk::new();
            object(&mut chunk, Ref::new(id));
            self.file.write(Ref::new(id), &chunk);
        };
        write(TREE, &|chunk, id| {
            let count = i32::try_from(self.pages.len()).unwrap_or(i32::MAX);
            chunk.pages(id).kids(self.pages.iter().copied()).count(count);
        });
        write(INFO, &|chunk, id| {
            let mut info = chunk.indirect(id).dict();
            info.pair(Name(b"Title"), TextStr(&self.title));
            info.pair(Name(b"Producer"), TextStr("Vouch"));
        });
        write(ROOT, &|chunk, id| {
            let mut root = chunk.indirect(id).dict();
            root.pair(Name(b"Type"), Name(b"Catalog"));
            root.pair(Name(b"Pages"), Ref::new(TREE));
            root.pair(Name(b"Lang"), TextStr("en"));
        });
        Ok(self.file.end())
    }

    /// The number of pages is known at the end alone: it is a form of its own, which every page shows.
    fn write_total(&mut self) {
        let mut content = Content::new();
        let text = format!(" of {}", self.pages.len());
        let bytes = self.fonts[0].encode(&text);
        content.begin_text().set_font(Name(b"F0"), f32::from(SMALL));
        content.show(Str(&bytes)).end_text();
        let packed = deflated(&content.finish());
        let mut chunk = Chunk::new();
        let mut form = chunk.form_xobject(Ref::new(TOTAL), &packed);
        form.bbox(Rect::new(0.0, -30.0, 800.0, 120.0));
        form.resources().fonts().pair(Name(b"F0"), Ref::new(FONTS));
        form.filter(Filter::FlateDecode);
        drop(form);
        self.file.write(Ref::new(TOTAL), &chunk);
    }

    /// The page that is being written; a new one if there is none.
    fn page(&mut self) -> &mut Content {
        if self.page.is_none() {
            self.y = TOP;
        }
        self.page.get_or_insert_with(|| {
            let mut content = Content::new();
            // From here on everything is in tenths of a point.
            content.transform([0.1, 0.0, 0.0, 0.1, 0.0, 0.0]);
            content
        })
    }

    fn make_room(&mut self, height: i16) {
        self.page();
        if self.y - height < BOTTOM {
            self.leave_page();
            self.page();
            if !self.table.is_empty() {
                self.head();
            }
        }
    }

    fn leave_page(&mut self) {
        let number = self.pages.len() + 1;
        let (footer, small) = (self.footer.clone(), FOOT);
        self.show(&footer, LEFT, 450, small);
        let text = format!("Page {number}");
        self.show(&text, 4_750, 450, small);
        let right = 4_750 + small_width(self.width(&text, small));
        let content = self.page();
        content
            .save_state()
            .transform([1.0, 0.0, 0.0, 1.0, f32::from(right), 450.0]);
        content.x_object(Name(b"Total")).restore_state();
        let Some(content) = self.page.take() else {
            return;
        };
        let index = i32::try_from(self.pages.len()).unwrap_or(i32::MAX / 4);
        let (page, body) = (Ref::new(FIRST_PAGE + 2 * index), Ref::new(FIRST_PAGE + 2 * index + 1));
        let packed = deflated(&content.finish());
        let mut chunk = Chunk::new();
        chunk.stream(body, &packed).filter(Filter::FlateDecode);
        self.file.write(body, &chunk);
        let mut chunk = Chunk::new();
        let mut object = chunk.page(page);
        object
            .parent(Ref::new(TREE))
            .contents(body)
            .media_box(Rect::new(0.0, 0.0, 595.0, 842.0));
        let mut resources = object.resources();
        resources
            .fonts()
            .pair(Name(b"F0"), Ref::new(FONTS))
            .pair(Name(b"F1"), Ref::new(FONTS + 5));
        resources.x_objects().pair(Name(b"Total"), Ref::new(TOTAL));
        drop(resources);
        drop(object);
        self.file.write(page, &chunk);
        self.pages.push(page);
    }

    fn head(&mut self) {
        let titles: Vec<String> = self.table.iter().map(|column| column.title.to_owned()).collect();
        let (columns, style) = (self.table, STRONG);
        let at = self.y;
        self.line(columns, &titles, at, style);
        self.y -= 50;
        let y = self.y;
        self.rule(y);
        self.y -= 110;
    }

    /// A row of cells, line by line.
    fn cells(&mut self, columns: &'static [Column], cells: &[String], style: Style) {
        let wrapped: Vec<Vec<String>> = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| self.wrap(cell, column.width - GAP, style))
            .collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            self.make_room(style.size);
            let texts: Vec<String> = wrapped
                .iter()
                .map(|cell| cell.get(line).cloned().unwrap_or_default())
                .collect();
            let at = self.y;
            self.line(columns, &texts, at, style);
            self.y -= style.size + 35;
        }
        self.y -= 15;
    }

    /// One line of cells that fit.
    fn line(&mut self, columns: &[Column], texts: &[String], y: i16, style: Style) {
        let mut x = LEFT;
        for (column, text) in columns.iter().zip(texts) {
            let indent = match column.align {
                Align::Left => 0,
                Align::Right => column.width - GAP - small_width(self.width(text, style)),
            };
            self.show(text, x + indent, y, style);
            x += column.width;
        }
    }

    fn wrapped(&mut self, text: &str, x: i16, width: i16, style: Style, align: Align) {
        for line in self.wrap(text, width, style) {
            self.make_room(style.size);
            let indent = match align {
                Align::Left => 0,
                Align::Right => width - small_width(self.width(&line, style)),
            };
            let y = self.y;
            self.show(&line, x + indent, y, style);
            self.y -= style.size + style.size / 3;
        }
    }

    fn width(&self, text: &str, style: Style) -> i32 {
        self.fonts[usize::from(style.bold)].width(text, i32::from(style.size))
    }

    /// Breaks a text into lines that fit, at spaces; a word that is longer than a line is cut.
    fn wrap(&self, text: &str, width: i16, style: Style) -> Vec<String> {
        let fits = |line: &str| self.width(line, style) <= i32::from(width);
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() {
                    word.to_owned()
                } else {
                    format!("{line} {word}")
                };
                if fits(&longer) {
                    line = longer;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                for character in word.chars() {
                    line.push(character);
                    if !fits(&line) && line.chars().count() > 1 {
                        line.pop();
                        lines.push(std::mem::replace(&mut line, character.to_string()));
                    }
                }
            }
            lines.push(line);
        }
        lines
    }

    fn show(&mut self, text: &str, x: i16, y: i16, style: Style) {
        if text.is_empty() {
            return;
        }
        let bytes = self.fonts[usize::from(style.bold)].encode(text);
        let name = if style.bold { Name(b"F1") } else { Name(b"F0") };
        let content = self.page();
        content.begin_text().set_font(name, f32::from(style.size));
        content
            .next_line(f32::from(x), f32::from(y))
            .show(Str(&bytes))
            .end_text();
    }

    fn rule(&mut self, y: i16) {
        let content = self.page();
        content.set_line_width(5.0);
        content
            .move_to(f32::from(LEFT), f32::from(y))
            .line_to(f32::from(RIGHT), f32::from(y))
            .stroke();
    }
}

impl std::fmt::Debug for Pdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pdf")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

/// A width on a page.
fn small_width(width: i32) -> i16 {
    i16::try_from(width).unwrap_or(PAGE[0])
}

/// Bytes as every reader of PDF unpacks them. Writing to memory cannot fail.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes);
    debug_assert!(written.is_ok(), "memory takes all");
    encoder.finish().unwrap_or_default()
}
