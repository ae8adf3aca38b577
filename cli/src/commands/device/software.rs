//! `muster device --software`: every package on one machine.

use muster_proto::v1::{Device, Inventory, item};

use super::packages;
use crate::output::{Answer, Cell, Column, Document, Grid};

/// The packages by name.
pub(super) fn answer(device: &Device, inventory: &Inventory) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("name"),
        Column::new("version"),
        Column::new("architecture").spare(1),
        Column::new("source").spare(2),
        Column::new("vendor").spare(4),
        Column::new("section").spare(3),
    ]);
    for section in &inventory.sections {
        for item in &section.items {
            let Some(item::Kind::Package(package)) = &item.kind else { continue };
            grid.rows.push(vec![
                Cell::text(&package.name),
                Cell::text(&package.version),
                Cell::text(&package.architecture),
                Cell::text(package.source_name()),
                Cell::text(package.vendor()),
                Cell::text(&section.name),
            ]);
        }
    }
    grid.rows.sort_by(|one, other| one[0].exact.cmp(&other[0].exact));
    let count = grid.rows.len();
    let notes = vec![format!("{} on {}", packages(count as u64), device.display_name)];
    Answer { json: Document::of(inventory), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::{device::tests::inventory, devices::samples::laptop},
        output::testing::check_table,
    };

    #[test]
    fn software_is_listed_by_name() {
        check_table(
            &answer(&laptop(), &inventory()),
            "
NAME    VERSION  ARCHITECTURE  SOURCE  VENDOR  SECTION
bash    1.0-1    amd64                         software.dpkg
zlib1g  1.0-1    amd64                         software.dpkg

2 packages on web-03",
        );
    }
}
