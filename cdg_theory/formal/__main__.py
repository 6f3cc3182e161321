"""``python -m cdg_theory.formal`` writes ``Code.v`` anew, from the code as it is."""

from cdg_theory.formal.kernel import FOLDER
from cdg_theory.formal.translate import translation

if __name__ == "__main__":
    (FOLDER / "Code.v").write_text(translation(), encoding="utf-8")
