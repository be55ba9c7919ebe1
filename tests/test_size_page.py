"""The page of what size buys: what is scored, what is on its way, what to take."""

from test_book import BOOK, write_run
from test_claims import millimetres

from fetal_book.published_size.networks import NETWORKS
from fetal_book.published_size.record import FOLDER, SizeRecord, read_size, read_sizes
from fetal_book.site.size_measures import measure_tables
from fetal_book.site.size_page import picks, score_text, write_sizes
from fetal_book.site.size_pairs import pair_table
from fetal_book.site.size_pictures import size_figure
from fetal_book.site.sizes import read_all, score_of
from fetal_lib.files.atomic import write_text

CHAPTER = "03_biometry_segmentation"


def row(model, value, low, high, metric="dice", split="test", n=180):
    known = millimetres(model, split, value, data="hc18", ci95=[low, high] if low else None, n=n)
    return known | {"metric": metric, "unit": "", "higher_is_better": True}


def record(name, value, done=2, counted=34_878_000):
    """Return a network that is scored after two epochs, or stands after fewer."""
    found = SizeRecord(name, CHAPTER, "hc18", counted=counted, side=128, epochs=2, n_train=450)
    found.source_epochs, found.precision, found.inference_ms = 50, "bfloat16", 40.0
    lines = [{"epoch": k, "loss": 0.1, "val_score": 0.9, "seconds": 60.0} for k in (1, 2)]
    found.follow(lines[:done], "val_score", 60.0)
    if done == 2:
        found.scores, found.state = [row(name, value, value - 0.01, value + 0.01)], "scored"
    return found


def project(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "sources.yml").write_bytes((BOOK / "sources.yml").read_bytes())
    kept = tmp_path / "book" / "published" / CHAPTER / "hc18-quick"
    rows = [row("attention_unet", 0.96, 0.955, 0.968), row("unext", 0.94, 0.93, 0.95)]
    rows += [row(one["model"], 500_000, None, None, "params", "all", None) for one in rows]
    sides = {"image_size": {"value": 64, "origin": "default"}}
    write_run(kept, *rows, chapter=CHAPTER, data="hc18", profile="quick", parameters=sides)
    folder = tmp_path / FOLDER
    record("attention_unet", 0.965).write(folder)
    record("unext", 0.0, done=1).write(folder)
    steps = "network,side,precision,channels_last,batch,seconds_per_image,parameters,cores"
    line = "unext,256,bfloat16,True,2,0.05,1471633,1"
    write_text(folder / "steps.csv", f"{steps},processor,gpu\n{line},a processor,\n")
    return tmp_path


def test_a_network_stands_beside_its_twin_its_source_and_its_hours(tmp_path):
    write_sizes(project(tmp_path), [])
    text = (tmp_path / "book" / "generated" / "sizes.md").read_text("utf-8")
    text, _, cost = text.partition("## What the whole comparison costs")
    lines = {line.split(" |")[0].strip("| "): line for line in text.splitlines()}
    scored = next(line for name, line in lines.items() if name.startswith("Attention U-Net ("))
    assert "dice 0.965 (0.955 to 0.975), n 180" in scored and "0.9671 (README)" in scored
    assert "128 px, 2 of 2 epochs (the source 50), bfloat16, 0.033 h" in scored
    assert "500,000, 64 px: 0.960 (0.955 to 0.968)" in scored
    assert "parameters |" not in scored  # a grey input's are told to be the published ones
    begun = next(line for name, line in lines.items() if name.startswith("UNeXt ("))
    assert "1 of 2 epochs" in begun and "not scored yet; val_score 0.9" in begun
    # 0.05 s * 1.3 * 450 images * 50 epochs
    assert "0.41 processor hours, 450 images × 50 epochs" in lines["UNeXt"]
    # one network of five has a record and a step; 50 trainings of 0.41 hours
    assert "| UNeXt | 0.41 | 20 |" in cost and "assumed, not measured" in cost
    assert "| 1 | 0.2 h | 0.041 h |" in cost and "| 64 | 0.0041 h | 0.00081 h |" in cost
    untrained = "| a step was measured, see the next table | – | – |"
    assert sum(untrained in line for line in text.splitlines()) == len(NETWORKS) - 2


def test_a_score_has_the_millimetres_from_masks_behind_it_and_a_failure_gets_a_stretched_axis(
    tmp_path,
):
    root = project(tmp_path)
    failed = record("attention_unet", 0.2)
    blind = row("vgg16_mask", 48.65, 40.3, 57.2, "rmse_mm")
    failed.scores.append(blind | {"unit": "mm"})
    failed.write(root / FOLDER)
    found = read_all(root, [])
    told = score_text(NETWORKS["attention_unet"], found.records["attention_unet"])
    assert told.endswith("; vgg16 mask: rmse_mm 48.6 mm (40.3 to 57.2)"), told
    key = CHAPTER, "dice"
    scales = [axes.get_yscale() for axes in size_figure({key: found.points}, found).axes]
    assert scales == ["logit"] * 3
    fine = [point for point in found.points if point.score["value"] > 0.8]
    assert size_figure({key: fine}, found).axes[0].get_yscale() == "linear"


def test_networks_that_stand_by_one_measure_have_a_table_of_all_and_one_alone_none():
    found = {name: record(name, 0.96) for name in ("attention_unet", "unext", "duck_net")}
    for name in ("attention_unet", "unext"):
        found[name].scores.append(row(name, 0.97, 0.95, 0.98, "recall"))
    found["attention_unet"].sittings = [{"epochs": 1, "energy_wh": 1.5}, {"epochs": 1}]
    found["unext"].sittings = [{"epochs": 2, "energy_wh": 1.5}, {"epochs": 0}]
    text = measure_tables(found)
    titles = next(line for line in text.splitlines() if line.startswith("| Measure"))
    assert titles == "| Measure | DUCK-Net 17 | Attention U-Net | UNeXt |"
    both = "0.970 (0.950 to 0.980)"
    assert f"| recall | – | {both} | {both} |" in text  # one that found nothing has no length
    assert "| processor hours | 0.033 | 0.033 | 0.033 |" in text
    assert "| test images | 180 | 180 | 180 |" in text
    energy = next(line for line in text.splitlines() if line.startswith("| energy"))
    assert (
        energy == "| energy, Wh | – | – | 1.5 |"
    )  # a sitting that is not told leaves the sum open
    assert measure_tables({"duck_net": found["duck_net"]}) == ""


def test_a_network_whose_statistics_were_counted_anew_tells_both_scores():
    one = record("med_seg_diff", 0.0)
    again = row("med_seg_diff_recounted", 0.7, 0.6, 0.8)
    one.scores += [again, again | {"data": "hc18, head"}]
    told = score_text(NETWORKS["med_seg_diff"], one)
    assert told.endswith("; med seg diff recounted: dice 0.700 (0.600 to 0.800)"), told
    assert told.count("recounted") == 1


def test_sets_have_tables_of_their_own_and_structures_lines(tmp_path):
    root = project(tmp_path)
    data = "fetal_biometry_fp"
    for name in ("unext_planes", "duck_net_planes"):
        one = record(name, 0.9)
        one.data, one.cases = data, [{"image": "a", "subject": "s", "dice": 0.9, "adf_mm": None}]
        one.scores = [row(name, 0.9, 0.88, 0.92) | {"data": data}]
        one.scores += [row(name, 0.7, 0.6, 0.8) | {"data": f"{data}, femur"}]
        one.write(root / FOLDER)
    write_sizes(root, [])
    text = (root / "book" / "generated" / "sizes.md").read_text("utf-8")
    (table,) = [part for part in text.split("```{table}") if "All measures" in part]
    assert f"published width on {data}: dice, " in table and "Attention" not in table
    assert table.count("| 0.700 (0.600 to 0.800) |") == 1  # a cell ends where the next begins
    (femur,) = [line for line in table.splitlines() if line.startswith("| dice, femur |")]
    assert femur.count("0.700 (0.600 to 0.800)") == 2
    (line,) = [one for one in text.splitlines() if one.startswith("| UNeXt, three planes (")]
    assert "dice 0.900 (0.880 to 0.920), n 180 |" in line  # of all structures together
    assert [point.name for point in read_all(root, []).points] == [
        "attention_unet",
        "unext",
        "attention_unet",
    ]


def test_a_network_of_rings_is_told_beside_one_that_finds_nothing():
    ring = SizeRecord("unet_ring", "04_head_circumference", "hc18", state="scored")
    ring.scores = [
        row("unet_ring", 0.0, 0.0, 0.0),
        row("unet_ring_above_0.2", 0.37, 0.34, 0.4),
        row("unet_ring", 0.983, 0.982, 0.984, "accuracy"),
        row("finds_nothing", 0.983, 0.982, 0.984, "accuracy"),
    ]
    told = score_text(NETWORKS["unet_ring"], ring).split("; ")
    assert told[0].startswith("dice 0") and told[1].startswith("unet ring above 0.2: dice 0.37")
    assert [words.partition(" 0.98")[0] for words in told[2:]] == [
        "unet ring: accuracy",
        "finds nothing: accuracy",
    ]


def test_what_the_book_says_of_rings_is_in_their_records():
    """`sources.yml`: no pixel of a ring is given one half, the accuracy is that of nothing."""
    for name in ("unet_ring", "unet_miswired_ring"):
        kept = read_size(BOOK / "published_size", name)
        values = {(one["model"], one["metric"]): one["value"] for one in kept.scores}
        assert (kept.side, kept.done) == (256, 20) and values[name, "dice"] == 0
        assert values[name, "accuracy"] == values["finds_nothing", "accuracy"] > 0.982
        above = next(value for (model, _), value in values.items() if "_above_" in model)
        assert above > 0.3


def test_the_smallest_network_that_is_level_with_the_best_is_the_one_to_take(tmp_path):
    points = read_all(project(tmp_path), []).points
    assert [(p.name, p.narrow) for p in points] == [
        ("attention_unet", True),
        ("unext", True),
        ("attention_unet", False),
    ]
    text = picks(points)
    assert "**Attention U-Net narrow, 500,000 parameters" in text
    assert "level with the best of the 3 that were run, Attention U-Net at its published" in text


def test_every_two_networks_on_the_same_images_are_compared_and_set_beside_the_source(tmp_path):
    ours = {"attention_unet": 0.0, "duck_net": -0.02, "unext": -0.021}
    for name, worse in ours.items():
        one = record(name, 0.95 + worse)
        one.cases = [
            {"image": f"{k}", "subject": f"{k // 2}", "dice": 0.95 + worse + 0.001 * (k % 3)}
            for k in range(40)
        ]
        one.cases[0]["dice"] += 0.005 if name == "duck_net" else 0
        one.write(tmp_path)
    records = read_sizes(tmp_path)
    claims = {"attention_unet": 0.9671, "duck_net": 0.9682, "unext": 0.9615}
    text = pair_table(records, claims)
    lines = {tuple(line.split(" | ")[:2]): line for line in text.splitlines() if "| " in line}
    both = lines["| DUCK-Net 17", "Attention U-Net"]
    assert "-0.020" in both and "the other way round" in both
    assert "as in the source" in lines["| DUCK-Net 17", "UNeXt"]
    assert "40 test images of 20 subjects" in text
    records["unext"].cases[3]["image"] = "another"
    assert "UNeXt" not in pair_table(records, claims)
    records["duck_net"].cases = []
    assert pair_table(records, claims) == ""


def test_a_run_of_another_count_says_so(tmp_path):
    root = project(tmp_path)
    record("duck_net", 0.95, counted=40_000_000).write(root / FOLDER)
    write_sizes(root, [])
    text = (root / "book" / "generated" / "sizes.md").read_text("utf-8")
    (line,) = [one for one in text.splitlines() if one.startswith("| DUCK-Net 17 (")]
    assert "h, 40,000,000 parameters |" in line


def test_of_three_tissues_the_one_of_the_twin_is_told():
    name = "res_unet_reference_{}_reference".format
    one = record("res_unet", 0.0)
    tissues = {"csf": 0.8, "gray": 0.88, "white": 0.9}
    one.scores = [row(name(k), v, v - 0.01, v + 0.01) for k, v in tissues.items()]
    assert score_of(one, NETWORKS["res_unet"])["value"] == 0.88
