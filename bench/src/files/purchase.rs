//! A purchase list: one row a machine, each with a holder, a few thousand holders and orders in all.

use std::fmt::Write as _;

use super::Content;

/// A list of so many machines.
pub(super) fn make(rows: u32) -> Content {
    let mut text = String::with_capacity(rows as usize * 160);
    text.push_str(
        "serial,maker,model,class,company,asset_tag,owner,owner_email,supplier,price,currency,purchase_date,warranty_end,location,cost_center,order_number\n",
    );
    for row in 0..rows {
        let person = row % 5_000;
        let (month, day) = (row % 12 + 1, row % 28 + 1);
        writeln!(
            text,
            "PF{row:06X},Lenovo,ThinkPad T{},laptop,Acme,{row:06},Person {person},person{person}@example.org,Shop {},{}.50,EUR,2025-{month:02}-{day:02},2028-{month:02}-{day:02},Site {},CC{},PO-{}",
            row % 40,
            row % 9,
            900 + row % 700,
            row % 60,
            row % 300,
            row / 25,
        )
        .expect("a text takes what is written to it");
    }
    Content::Bytes(text.into_bytes())
}
