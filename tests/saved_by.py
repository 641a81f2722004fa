"""A notebook's JSON in the form in which other editors save it, as their files have it.

Colab writes format 4.0: no cell ids but ids in the metadata, a view of its own for forms, widths of
outputs. VS Code writes 4.5 in its own order, with ids of its own and the name of the environment.
"""

from tests.tools import load

first_cell = load("first_cell")
COLAB = {
    "accelerator": "GPU",
    "colab": {"provenance": [], "gpuType": "T4", "toc_visible": True},
    "kernelspec": {"display_name": "Python 3", "name": "python3"},
    "language_info": {"name": "python"},
}
VS_CODE = {
    "kernelspec": {"display_name": ".venv (3.12.3)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3.12.3",
    },
}


def colab(content: dict) -> None:
    """Save as Colab does, with the set-up cell in which another profile was chosen, and a mount."""
    content.update(nbformat=4, nbformat_minor=0, metadata=COLAB)
    chosen = first_cell.source("vision_transformer").replace('"default"  #', '"standard"  #')
    own = [_code(chosen), _code("# from google.colab import drive; drive.mount('/content/drive')")]
    own[0]["metadata"]["cellView"] = "form"
    content["cells"][1:1] = own
    for number, cell in enumerate(content["cells"]):
        cell.pop("id", None)
        cell["metadata"]["id"] = f"q7Rz{number:08}"
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"outputId": f"0b1c2d3e-{number:04}", "colab": {"height": 35}}
            cell["outputs"] = [_text("shown", {"tab": {"height": 35}})]
            cell["execution_count"] = None if number % 2 else number


def vs_code(content: dict) -> None:
    """Save as VS Code does, with a cell of the student's own."""
    content.update(nbformat=4, nbformat_minor=5, metadata=VS_CODE)
    content["cells"].insert(3, _code("print('mine')"))
    for number, cell in enumerate(content["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"]["vscode"] = {"languageId": cell["cell_type"].replace("code", "python")}
        if cell["cell_type"] == "code":
            cell["outputs"] = [_text("shown", {})]
            cell["execution_count"] = number


def vs_code_without_ids(content: dict) -> None:
    """Save as VS Code does with a notebook of an older version: 4.2, which has no ids."""
    vs_code(content)
    content["nbformat_minor"] = 2
    for cell in content["cells"]:
        del cell["id"]


def _code(source: str) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source.splitlines(keepends=True)}


def _text(text: str, metadata: dict) -> dict:
    data = {
        "text/plain": [text],
        "application/vnd.google.colaboratory.intrinsic+json": {"type": "string"},
    }
    return {"output_type": "display_data", "data": data, "metadata": metadata}


EDITORS = {"Colab": colab, "VS Code": vs_code, "VS Code, format 4.2": vs_code_without_ids}
