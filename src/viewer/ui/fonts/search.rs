//! Which fonts of the system have the characters that are missing.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use skrifa::raw::tables::cmap::Cmap;
use skrifa::raw::{FontData, FontRead as _};

/// Fonts in one file, tables in one font, and bytes of a character map: what lies above is damage.
const MAX_FACES: u32 = 64;
const MAX_TABLES: u16 = 256;
const MAX_CMAP_BYTES: u32 = 16 << 20;
/// Folders in folders.
const MAX_DEPTH: usize = 6;
/// Font files looked into.
const MAX_FILES: usize = 8000;
/// The largest file that is loaded, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A font that has some of what was missing.
pub(super) struct Found {
    /// Its file's name and its number within the file.
    pub name: String,
    /// Its number within the file.
    pub index: u32,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Where the system keeps its fonts.
pub(super) fn system_folders() -> Vec<PathBuf> {
    let from_home = |path: &str| env::home_dir().map(|home| home.join(path));
    let mut folders: Vec<PathBuf> = Vec::new();
    if cfg!(target_os = "windows") {
        folders.extend(env::var_os("WINDIR").map(|root| PathBuf::from(root).join("Fonts")));
        let own = env::var_os("LOCALAPPDATA").map(PathBuf::from);
        folders.extend(own.map(|own| own.join("Microsoft/Windows/Fonts")));
    } else if cfg!(target_os = "macos") {
        folders.extend(["/System/Library/Fonts", "/Library/Fonts"].map(PathBuf::from));
        folders.extend(from_home("Library/Fonts"));
    } else {
        let own = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        folders.extend(own.or_else(|| from_home(".local/share")));
        let shared = env::var_os("XDG_DATA_DIRS").filter(|shared| !shared.is_empty());
        let shared = shared.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        folders.extend(env::split_paths(&shared));
        for folder in &mut folders {
            folder.push("fonts");
        }
        folders.extend(from_home(".fonts"));
    }
    folders
}

/// As few fonts as it takes to have of `wanted` what the fonts in these folders have: plain ones
/// before bold, slanted or monospaced ones, and of those the ones that have most.
pub(super) fn find_fonts(folders: &[PathBuf], wanted: &BTreeSet<char>) -> Vec<Found> {
    let mut files = Vec::new();
    for folder in folders {
        list_files(folder, MAX_DEPTH, &mut files);
    }
    files.sort();
    files.dedup();
    files.truncate(MAX_FILES);
    let mut faces: Vec<Face> = files
        .iter()
        .flat_map(|path| faces(path, wanted).unwrap_or_default())
        .collect();
    let mut missing = wanted.clone();
    let mut found = Vec::new();
    while !missing.is_empty() {
        for face in &mut faces {
            face.has.retain(|character| missing.contains(character));
        }
        faces.retain(|face| !face.has.is_empty());
        // Of equals the first: the order is the files' names.
        let best = faces
            .iter()
            .enumerate()
            .min_by_key(|(_, face)| (face.oddity, usize::MAX - face.has.len()));
        let Some((best, _)) = best else {
            break;
        };
        let face = faces.remove(best);
        // A file that went away or is too large is passed over.
        if let Ok(bytes) = load(&face.path) {
            let file = face.path.display();
            found.push(Found {
                name: format!("{file}#{}", face.index),
                index: face.index,
                bytes,
            });
            for character in &face.has {
                missing.remove(character);
            }
        }
    }
    found
}

fn load(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}

fn list_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    // A folder that does not exist or may not be read has no fonts for us.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if depth > 0 {
                list_files(&path, depth - 1, files);
            }
        } else if is_font(&path) {
            files.push(path);
        }
    }
}

fn is_font(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["ttf", "otf", "ttc", "otc"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// One font of a file.
struct Face {
    path: PathBuf,
    index: u32,
    /// What it has of the wanted characters.
    has: BTreeSet<char>,
    /// How far it is from plain upright type, from its file's name.
    oddity: u32,
}

/// How far a font is from plain upright type: 0 is a regular sans.
fn oddity(path: &Path) -> u32 {
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let name = name.unwrap_or_default().to_lowercase();
    // Fonts that have every character, as a box.
    if ["lastresort", "blank", "notdef"]
        .iter()
        .any(|part| name.contains(part))
    {
        return 100;
    }
    let styles: [(&[&str], u32); 4] = [
        (
            &["bold", "black", "heavy", "italic", "oblique", "slanted"],
            8,
        ),
        (&["thin", "light", "condensed", "narrow", "medium"], 4),
        (&["serif", "mono", "nastaliq", "kufi", "ui"], 2),
        (&["unifont", "bitmap", "symbol", "math"], 1),
    ];
    let of_styles = styles
        .iter()
        .filter(|(parts, _)| parts.iter().any(|part| name.contains(part)))
        .map(|(_, weight)| weight)
        .sum::<u32>();
    of_styles * 2 + u32::from(!name.contains("sans"))
}

/// The fonts of a file that have outlines and any of the wanted characters. Of each only the
/// character map is read.
fn faces(path: &Path, wanted: &BTreeSet<char>) -> io::Result<Vec<Face>> {
    let mut file = File::open(path)?;
    let mut start = [0; 12];
    file.read_exact(&mut start)?;
    let offsets = if &start[..4] == b"ttcf" {
        let n_faces = u32_at(&start, 8).min(MAX_FACES);
        let mut offsets = vec![0; 4 * n_faces as usize];
        file.read_exact(&mut offsets)?;
        offsets
            .chunks_exact(4)
            .map(|offset| u32_at(offset, 0))
            .collect()
    } else {
        vec![0]
    };
    let mut faces = Vec::new();
    for (index, offset) in offsets.into_iter().enumerate() {
        let Some(cmap) = read_cmap(&mut file, offset)? else {
            continue;
        };
        let Ok(cmap) = Cmap::read(FontData::new(&cmap)) else {
            continue;
        };
        let Some((_, _, table)) = cmap.best_subtable() else {
            continue;
        };
        let has: BTreeSet<char> = wanted
            .iter()
            .copied()
            .filter(|character| {
                let glyph = table.map_codepoint(*character);
                glyph.is_some_and(|glyph| glyph.to_u32() != 0)
            })
            .collect();
        if !has.is_empty() {
            faces.push(Face {
                path: path.to_owned(),
                index: index as u32,
                has,
                oddity: oddity(path),
            });
        }
    }
    Ok(faces)
}

/// The character map of the font at `offset`; none where it has no outlines to draw.
fn read_cmap(file: &mut File, offset: u32) -> io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(offset.into()))?;
    let mut header = [0; 12];
    file.read_exact(&mut header)?;
    let n_tables = u16::from_be_bytes([header[4], header[5]]).min(MAX_TABLES);
    let mut records = vec![0; 16 * usize::from(n_tables)];
    file.read_exact(&mut records)?;
    let table = |tag: &[u8; 4]| {
        let record = records
            .chunks_exact(16)
            .find(|record| &record[..4] == tag)?;
        Some((u32_at(record, 8), u32_at(record, 12)))
    };
    let has_outlines = [b"glyf", b"CFF ", b"CFF2"]
        .iter()
        .any(|tag| table(tag).is_some());
    let Some((start, length)) = table(b"cmap").filter(|_| has_outlines) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(start.into()))?;
    let mut cmap = Vec::new();
    file.take(length.min(MAX_CMAP_BYTES).into())
        .read_to_end(&mut cmap)?;
    Ok(Some(cmap))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A font file with a character map of these characters, in order, and no shapes.
    pub fn fake_font(characters: &[char]) -> Vec<u8> {
        font_with(characters, b"glyf")
    }

    fn font_with(characters: &[char], outlines: &[u8; 4]) -> Vec<u8> {
        let n_groups = characters.len() as u32;
        let mut cmap: Vec<u8> = Vec::new();
        cmap.extend([0, 0, 0, 1, 0, 3, 0, 10]); // Version 0, one table, Windows, full Unicode.
        cmap.extend(12u32.to_be_bytes());
        cmap.extend([0, 12, 0, 0]); // Format 12.
        cmap.extend((16 + 12 * n_groups).to_be_bytes());
        cmap.extend(0u32.to_be_bytes());
        cmap.extend(n_groups.to_be_bytes());
        for (glyph, character) in (1u32..).zip(characters) {
            cmap.extend(u32::from(*character).to_be_bytes());
            cmap.extend(u32::from(*character).to_be_bytes());
            cmap.extend(glyph.to_be_bytes());
        }
        let mut font: Vec<u8> = Vec::new();
        font.extend(0x0001_0000u32.to_be_bytes());
        font.extend([0, 2, 0, 0, 0, 0, 0, 0]);
        let start = 12 + 2 * 16;
        for (tag, length) in [(b"cmap", cmap.len() as u32), (outlines, 0)] {
            font.extend(tag);
            font.extend(0u32.to_be_bytes());
            font.extend((start as u32).to_be_bytes());
            font.extend(length.to_be_bytes());
        }
        font.extend(cmap);
        font
    }

    fn names(folder: &Path, wanted: &[char]) -> Vec<String> {
        let wanted = wanted.iter().copied().collect();
        find_fonts(&[folder.to_owned()], &wanted)
            .into_iter()
            .map(|found| found.name.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn plain_fonts_come_first_and_as_few_as_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("truetype/somewhere");
        fs::create_dir_all(&deep).unwrap();
        let put = |name: &str, bytes: Vec<u8>| fs::write(deep.join(name), bytes).unwrap();
        put("Some Sans-Bold.ttf", fake_font(&['α', 'β', 'γ', 'δ']));
        put("Some Sans-Regular.ttf", fake_font(&['α', 'β']));
        put("Other Sans.otf", fake_font(&['α', 'β', 'γ']));
        put("Serif.ttf", fake_font(&['δ']));
        put("Color Emoji Sans.ttf", font_with(&['δ', 'ε'], b"CBDT"));
        put("notes.txt", fake_font(&['ε']));
        put("Broken.ttf", b"\x00\x01\x00\x00\x00\x09".to_vec());
        put("Empty.ttf", Vec::new());

        let folder = folder.path();
        assert_eq!(names(folder, &['α', 'β']), ["Other Sans.otf#0"]);
        assert_eq!(
            names(folder, &['α', 'γ', 'δ', 'ε']),
            ["Other Sans.otf#0", "Serif.ttf#0"]
        );
        assert!(names(folder, &['ε']).is_empty(), "no outlines, no font");
        assert!(names(&folder.join("absent"), &['α']).is_empty());
    }

    #[test]
    fn regular_sans_is_the_least_odd() {
        let oddities = [
            "NotoSansArabic-Regular.ttf",
            "Arial Unicode.ttf",
            "NotoSerifThai-Regular.ttf",
            "NotoSansThai-Bold.ttf",
            "LastResort.otf",
        ]
        .map(|name| oddity(Path::new(name)));

        assert!(oddities.is_sorted(), "{oddities:?}");
    }
}
