"""The counters of a machine's energy, as Linux writes them."""

from fetal_book.runs.energy import EnergyMeter


def counter(folder, name, microjoules, limit=10_000_000_000):
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "energy_uj").write_text(f"{microjoules}\n")
    (package / "max_energy_range_uj").write_text(f"{limit}\n")


def test_energy_of_all_packages_is_added_up_and_goes_on_where_a_counter_begins_anew(tmp_path):
    counter(tmp_path, "intel-rapl:0", 9_000_000_000)
    counter(tmp_path, "intel-rapl:1", 0)
    counter(tmp_path, "intel-rapl:0:0", 5)  # a part of the first package: it would count twice
    meter = EnergyMeter(tmp_path)
    assert meter.watt_hours() == 0
    counter(tmp_path, "intel-rapl:0", 2_600_000_000)  # 3,600 J later
    counter(tmp_path, "intel-rapl:1", 3_600_000_000)
    counter(tmp_path, "intel-rapl:0:0", 9_999)
    assert meter.watt_hours() == 2
    counter(tmp_path, "intel-rapl:1", 7_200_000_000)
    meter.ask()
    assert meter.watt_hours() == 3


def test_a_machine_that_does_not_tell_its_energy_is_not_given_one(tmp_path):
    assert EnergyMeter(tmp_path / "nowhere").watt_hours() is None
    counter(tmp_path, "intel-rapl:0", 1)
    meter = EnergyMeter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert meter.watt_hours() is None
