//! Volumes that organs of adults have, wide enough that what lies outside is a reason to look.
//!
//! The limits are about half the smallest and twice the largest of healthy adults, since sick organs shrink and grow.

/// Between which volumes an organ usually lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrganVolume {
    /// SNOMED CT concept, as in the label tables.
    pub snomed_ct: &'static str,
    pub smallest_ml: f64,
    pub largest_ml: f64,
    /// What healthy adults have, and where that is said.
    pub source: &'static str,
}

/// Kidneys are counted one by one: both have one concept in the tables.
const VOLUMES: [OrganVolume; 7] = [
    OrganVolume {
        snomed_ct: "10200004",
        smallest_ml: 500.0,
        largest_ml: 3500.0,
        source: "liver: 594 to 2250 mL in 369 adults (World J Gastroenterol 23:4968, 2017)",
    },
    OrganVolume {
        snomed_ct: "64033007",
        smallest_ml: 50.0,
        largest_ml: 450.0,
        source: "kidney: median 138 mL in women, 174 mL in men, 5th percentile from 92 mL (J Clin Med 13:769, 2024)",
    },
    OrganVolume {
        snomed_ct: "78961009",
        smallest_ml: 40.0,
        largest_ml: 1000.0,
        source: "spleen: 107 to 315 mL in 140 adults (Prassopoulos et al., Eur Radiol 7:246, 1997)",
    },
    OrganVolume {
        snomed_ct: "74281007",
        smallest_ml: 35.0,
        largest_ml: 350.0,
        source: "left ventricular myocardium: mass over 1.05 g/mL (Kawel-Boehm et al., J Cardiovasc Magn Reson 22:87, 2020)",
    },
    OrganVolume {
        snomed_ct: "87878005",
        smallest_ml: 20.0,
        largest_ml: 400.0,
        source: "left ventricle: from end-systolic to end-diastolic volume (Kawel-Boehm et al., J Cardiovasc Magn Reson \
            22:87, 2020)",
    },
    OrganVolume {
        snomed_ct: "82471001",
        smallest_ml: 15.0,
        largest_ml: 300.0,
        source: "left atrium: from minimal to maximal volume (Kawel-Boehm et al., J Cardiovasc Magn Reson 22:87, 2020)",
    },
    OrganVolume {
        snomed_ct: "54247002",
        smallest_ml: 10.0,
        largest_ml: 250.0,
        source: "ascending aorta: diameters of 2.5 to 4.5 cm (Kawel-Boehm et al., J Cardiovasc Magn Reson 22:87, 2020) \
            over lengths of 3 to 9 cm, for tables differ in where it ends",
    },
];

/// The usual volumes of the organ of a SNOMED CT concept; `None` for one that is not in the table.
pub fn organ_volume(snomed_ct: &str) -> Option<OrganVolume> {
    VOLUMES.into_iter().find(|organ| organ.snomed_ct == snomed_ct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::LabelTable;

    #[test]
    fn every_structure_of_the_tables_that_ship_has_a_usual_volume() {
        for entry in LabelTable::builtin().iter().flat_map(|table| &table.entries) {
            let usual = organ_volume(&entry.snomed_ct);
            assert!(usual.is_some_and(|usual| usual.smallest_ml < usual.largest_ml), "{}", entry.name);
        }
    }
}
