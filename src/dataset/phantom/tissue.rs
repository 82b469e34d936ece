//! The fine tissue classes every phantom is made of, and what they mean in a task's label map.

use crate::volume::Task;

macro_rules! tissues {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One kind of tissue, content or object. Stored as its discriminant in a phantom's tissue map.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Tissue { $($variant),+ }

        impl Tissue {
            /// Every tissue, in the order of its stored value.
            pub const ALL: &'static [Tissue] = &[$(Tissue::$variant),+];

            /// For people: "kidney cortex, right".
            pub fn name(self) -> &'static str {
                match self { $(Tissue::$variant => $name),+ }
            }
        }
    };
}

tissues! {
    Air = "air outside the body",
    Skin = "skin",
    SubcutaneousFat = "subcutaneous fat",
    VisceralFat = "visceral fat",
    Muscle = "muscle",
    CorticalBone = "cortical bone",
    Marrow = "bone marrow",
    Cartilage = "cartilage",
    Disc = "intervertebral disc",
    SpinalCanal = "spinal canal",
    Lung = "lung",
    Airway = "airway",
    Oesophagus = "oesophagus",
    Liver = "liver",
    LiverVessel = "liver vessel",
    LiverLesion = "liver lesion",
    Gallbladder = "gallbladder",
    Spleen = "spleen",
    RightKidneyCortex = "kidney cortex, right",
    RightKidneyMedulla = "kidney medulla, right",
    LeftKidneyCortex = "kidney cortex, left",
    LeftKidneyMedulla = "kidney medulla, left",
    RenalSinus = "renal sinus fat",
    RenalPelvis = "renal pelvis and ureter",
    KidneyCyst = "kidney cyst",
    Adrenal = "adrenal gland",
    Pancreas = "pancreas",
    StomachWall = "stomach wall",
    StomachContent = "stomach content",
    BowelWall = "bowel wall",
    BowelContent = "bowel content",
    ColonWall = "colon wall",
    Stool = "stool",
    Gas = "gas in stomach and bowel",
    Aorta = "descending aorta and arteries",
    VenaCava = "vena cava and veins",
    PortalVein = "portal, splenic and mesenteric vein",
    Bladder = "urine in the bladder",
    BladderWall = "bladder wall",
    Myocardium = "left ventricular myocardium",
    LeftVentricle = "left ventricle cavity",
    Papillary = "papillary muscles and trabeculae",
    LeftAtrium = "left atrium cavity",
    AscendingAorta = "ascending aorta",
    RightVentricle = "right ventricle cavity",
    RightAtrium = "right atrium cavity",
    HeartWall = "thin heart walls",
    PulmonaryArtery = "pulmonary artery",
    PulmonaryVein = "pulmonary veins",
    EpicardialFat = "epicardial fat",
    Coil = "table, coil and clothing",
}

impl Tissue {
    /// The tissue of a stored value; values that no phantom stores read as air.
    pub fn from_value(value: u8) -> Tissue {
        Self::ALL.get(usize::from(value)).copied().unwrap_or(Tissue::Air)
    }

    /// The task's own label value of the structure this tissue belongs to, 0 for background.
    ///
    /// Vessels and lesions inside the liver belong to it; renal sinus and pelvis do not belong to the kidney; papillary
    /// muscles count as cavity. That is how the references this program is measured against were drawn.
    pub fn label(self, task: Task) -> u16 {
        match (task, self) {
            (Task::Abdomen, Tissue::Liver | Tissue::LiverVessel | Tissue::LiverLesion) => 1,
            (Task::Abdomen, Tissue::RightKidneyCortex | Tissue::RightKidneyMedulla) => 2,
            (Task::Abdomen, Tissue::LeftKidneyCortex | Tissue::LeftKidneyMedulla) => 3,
            (Task::Abdomen, Tissue::Spleen) => 4,
            (Task::Cardiac, Tissue::Myocardium) => 1,
            (Task::Cardiac, Tissue::LeftAtrium) => 2,
            (Task::Cardiac, Tissue::LeftVentricle | Tissue::Papillary) => 3,
            (Task::Cardiac, Tissue::AscendingAorta) => 4,
            _ => 0,
        }
    }
}

/// A set of tissues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TissueSet(u64);

impl TissueSet {
    pub const fn of(tissues: &[Tissue]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < tissues.len() {
            bits |= 1 << tissues[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    pub const fn with(self, other: TissueSet) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, tissue: Tissue) -> bool {
        self.0 >> tissue as u8 & 1 == 1
    }
}
