"""`lmedge doctor`."""

from lmedge.about.options import DoctorConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: DoctorConfig) -> None:
    from lmedge.about.doctor import doctor
    from lmedge.verbs import VERBS

    for line in doctor({name: verb.needs for name, verb in VERBS.items()}):
        print(line)


VERB = Verb("doctor", DoctorConfig, run)
