"""Sixteen classes of fetal brain on ultrasound, and the finding that defines each.

The names are those of the public 16-class collection, spelled right, written as in
``fetal_lib.data.anomaly_names``.

References
----------
Gaglioti P et al. Fetal cerebral ventriculomegaly: outcome in 176 cases. Ultrasound Obstet Gynecol
2005;25:372-377. doi:10.1002/uog.1857 (10, 12 and 15 mm).
Malinger G et al. ISUOG Practice Guidelines (updated): sonographic examination of the fetal central
nervous system. Part 1. Ultrasound Obstet Gynecol 2020;56:476-484. doi:10.1002/uog.22145 (planes).
"""

from __future__ import annotations

DEFINITIONS: dict[str, str] = {
    "normal": "atria below 10 mm, cerebellum of its week, cisterna magna of 2 to 10 mm, "
    "unbroken skull, midline with cavum",
    "mild_ventriculomegaly": "atrium of a lateral ventricle 10.0 to 12.0 mm wide",
    "moderate_ventriculomegaly": "atrium 12.1 to 14.9 mm wide, choroid plexus hanging",
    "severe_ventriculomegaly": "atrium 15 mm wide or more, thin cortex around it",
    "arachnoid_cyst": "anechoic cyst outside the brain, against skull or falx, that pushes the "
    "brain aside and does not open into a ventricle",
    "cerebellar_hypoplasia": "transcerebellar diameter more than 2 SD below the mean of its week, "
    "wide cisterna magna",
    "encephalocele": "gap in the skull with a sac that bulges through it",
    "porencephaly": "fluid-filled cavity within one hemisphere that opens into its ventricle",
    "colpocephaly": "wide occipital horns (10 mm or more) with narrow frontal horns: teardrops",
    "intracranial_hemorrhage": "bright clot in a ventricle or in the brain's substance",
    "arnold_chiari_malformation": "lemon skull, banana cerebellum, cisterna magna below 2 mm",
    "mega_cisterna_magna": "cisterna magna deeper than 10 mm with a cerebellum of its week",
    "hydranencephaly": "fluid in the place of the cerebral hemispheres, falx kept, no cortex",
    "intracranial_tumor": "solid, bright, uneven mass that pushes the midline aside",
    "holoprosencephaly": "one ventricle across the midline, fused thalami, no falx in front, "
    "no cavum",
    "vein_of_galen": "anechoic tube in the midline behind the thalami that runs to the occiput",
}
"""Class to what a sonographer looks for; shown by the book's phantom page."""

LABELS: tuple[str, ...] = tuple(DEFINITIONS)

VENTRICULAR_PLANE, CEREBELLAR_PLANE = "transventricular", "transcerebellar"
PLANES: tuple[str, ...] = (VENTRICULAR_PLANE, CEREBELLAR_PLANE)

PLANE_SHARES: dict[str, float] = {
    label: {
        "mild_ventriculomegaly": 0.0,
        "moderate_ventriculomegaly": 0.0,
        "severe_ventriculomegaly": 0.0,
        "colpocephaly": 0.0,
        "porencephaly": 0.0,
        "holoprosencephaly": 0.0,
        "arnold_chiari_malformation": 0.75,
        "cerebellar_hypoplasia": 1.0,
        "mega_cisterna_magna": 1.0,
    }.get(label, 0.5)
    for label in LABELS
}
"""Class to the share of its images in the transcerebellar plane: where the finding is seen."""
