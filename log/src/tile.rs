//! Tiles: the files a tree is kept and served as (C2SP tlog-tiles).
//!
//! A hash tile holds up to 256 consecutive hashes of one level (level *l* of the tiling is level 8*l* of the tree); an entry
//! bundle holds up to 256 consecutive entries, each behind its length in 16 bits. A full file never changes; a partial one has
//! its width in its name, so it does not change either.

use crate::{Hash, MAX_ENTRY_LEN};

/// Entries or hashes in a full tile.
pub const FULL_WIDTH: u16 = 256;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// Hashes of this level of the tiling (0 is leaf hashes).
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// The coordinates of one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Hashes of which level, or entries.
    pub content: Content,
    /// Which tile of its level, from 0.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256; below 256 it is partial.
    pub width: u16,
}

/// A tile with its bytes, ready to be stored under its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileFile {
    /// Coordinates.
    pub tile: Tile,
    /// What is stored.
    pub bytes: Vec<u8>,
}

/// Why an entry bundle or a hash tile cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The bytes end inside an entry or a hash.
    #[error("the tile ends in the middle of an entry")]
    Truncated,
    /// It holds fewer or more than its name says.
    #[error("the tile holds {found} entries where its name says {expected}")]
    WrongWidth {
        /// Width by name.
        expected: u16,
        /// Width by content.
        found: usize,
    },
    /// An entry longer than 65,535 bytes cannot be written into a bundle.
    #[error(
        "an entry of {0} bytes is too long (65,535 at most); put the large part beside the tiles as an object"
    )]
    EntryTooLong(usize),
}

impl Tile {
    /// The tile's path below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
    pub fn path(&self) -> String {
        let full = Tile {
            width: FULL_WIDTH,
            ..*self
        };
        if self.width < FULL_WIDTH {
            return format!("{}/{}", full.partials_folder(), self.width);
        }
        let level = match self.content {
            Content::Hashes(level) => level.to_string(),
            Content::Entries => "entries".to_owned(),
        };
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        format!("tile/{level}/{number}")
    }

    /// The folder of this tile's partial versions, which may go once the full one is there.
    pub fn partials_folder(&self) -> String {
        format!(
            "{}.p",
            Tile {
                width: FULL_WIDTH,
                ..*self
            }
            .path()
        )
    }

    /// Reads a path back; `None` unless it is exactly what [`Tile::path`] writes, so a server can use it as its allow-list.
    pub fn parse(path: &str) -> Option<Tile> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let content = match level {
            "entries" => Content::Entries,
            _ => Content::Hashes(level.parse().ok().filter(|l| *l < 64)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (
                number,
                width.parse().ok().filter(|w| (1..FULL_WIDTH).contains(w))?,
            ),
            None => (rest, FULL_WIDTH),
        };
        let index = number.split('/').try_fold(0u64, |sum, part| {
            let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
            sum.checked_mul(1000)?.checked_add(digits)
        })?;
        let tile = Tile {
            content,
            index,
            width,
        };
        (tile.path() == path).then_some(tile)
    }
}

/// How many hashes a tree of `size` entries has on a level of the tiling.
pub(crate) fn hashes_at(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// The rightmost tile of a level with `count` hashes or entries if it is partial.
fn partial(content: Content, count: u64) -> Option<Tile> {
    let width = (count % u64::from(FULL_WIDTH)) as u16;
    (width > 0).then_some(Tile {
        content,
        index: count / u64::from(FULL_WIDTH),
        width,
    })
}

/// The tiles that a tree of `new` entries has and one of `old` entries has not: what publishing the new head must write.
/// With `old` = 0: every tile of the tree.
pub fn new_tiles(old: u64, new: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut add = |content, old: u64, new: u64| {
        if old >= new {
            return;
        }
        let full = u64::from(FULL_WIDTH);
        tiles.extend((old / full..new / full).map(|index| Tile {
            content,
            index,
            width: FULL_WIDTH,
        }));
        tiles.extend(partial(content, new));
    };
    add(Content::Entries, old, new);
    for level in 0..8 {
        add(
            Content::Hashes(level),
            hashes_at(old, level),
            hashes_at(new, level),
        );
    }
    tiles
}

/// Writes entries as a bundle: each behind its length as a big-endian u16.
///
/// # Errors
/// [`TileError::EntryTooLong`] for an entry over 65,535 bytes.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|e| e.as_ref().len() + 2).sum());
    for entry in entries {
        let entry = entry.as_ref();
        let len = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        debug_assert!(entry.len() <= MAX_ENTRY_LEN);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads a whole bundle.
///
/// # Errors
/// [`TileError::Truncated`] if it ends inside an entry.
pub fn decode_bundle(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, TileError> {
    let mut entries = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, rest) = rest.split_at_checked(len).ok_or(TileError::Truncated)?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(TileError::Truncated)
    }
}

/// Writes a hash tile: the hashes one after the other.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// Reads a hash tile.
///
/// # Errors
/// [`TileError::Truncated`] if it ends inside a hash.
pub fn decode_hashes(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() {
        Ok(hashes.to_vec())
    } else {
        Err(TileError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |content, index, width| Tile {
            content,
            index,
            width,
        };
        for (tile, path) in [
            (
                tile(Content::Hashes(0), 1_234_067, 256),
                "tile/0/x001/x234/067",
            ),
            (tile(Content::Hashes(1), 0, 17), "tile/1/000.p/17"),
            (tile(Content::Entries, 273, 112), "tile/entries/273.p/112"),
            (tile(Content::Entries, 1000, 256), "tile/entries/x001/000"),
            (tile(Content::Hashes(63), 999, 255), "tile/63/999.p/255"),
        ] {
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::parse(path), Some(tile));
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        for path in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/8/0/000",
            "tile/data/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/+1",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/../000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/000.p/1.p/1",
            "tile/entries/000.p/1/2",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn tiles_of_the_specification_s_example() {
        let tiles = new_tiles(0, 70_000);
        let of = |content| {
            tiles
                .iter()
                .filter(|t| t.content == content)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Content::Hashes(0)).len(), 274);
        assert_eq!(of(Content::Hashes(0)).last().unwrap().width, 112);
        assert_eq!(
            of(Content::Hashes(1))
                .iter()
                .map(|t| t.width)
                .collect::<Vec<_>>(),
            [256, 17]
        );
        assert_eq!(
            of(Content::Hashes(2))
                .iter()
                .map(|t| t.width)
                .collect::<Vec<_>>(),
            [1]
        );
        assert!(of(Content::Hashes(3)).is_empty());
        assert_eq!(of(Content::Entries).len(), 274);
        // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1"
        let small: Vec<_> = new_tiles(0, 256).iter().map(Tile::path).collect();
        assert_eq!(small, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        // Growing writes only what has changed.
        let grown: Vec<_> = new_tiles(256, 258).iter().map(Tile::path).collect();
        assert_eq!(grown, ["tile/entries/001.p/2", "tile/0/001.p/2"]);
        assert!(new_tiles(258, 258).is_empty());
    }

    #[test]
    fn bundles_round_trip_and_refuse_a_cut() {
        let entries = vec![vec![], vec![1], vec![2; 65_535]];
        let bytes = encode_bundle(&entries).unwrap();
        assert_eq!(decode_bundle(&bytes).unwrap(), entries);
        assert_eq!(
            decode_bundle(&bytes[..bytes.len() - 1]),
            Err(TileError::Truncated)
        );
        assert_eq!(decode_bundle(&bytes[..3]), Err(TileError::Truncated));
        assert_eq!(
            encode_bundle(&[vec![0; 65_536]]),
            Err(TileError::EntryTooLong(65_536))
        );
        assert_eq!(decode_hashes(&[0; 33]), Err(TileError::Truncated));
    }
}
