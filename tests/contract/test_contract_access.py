from .access_matrix import BEGIN, END, README, describe, list_methods, print_matrix, replace_matrix


def test_the_access_matrix_in_the_readme_is_of_today():
    text = README.read_text()
    assert text == replace_matrix(text), "run: python tests/contract/access_matrix.py"


def test_the_matrix_has_a_row_for_every_method(methods):
    rows = {describe(method)[0] for method in list_methods()}
    assert {method.name.removeprefix("docuchat.") for method in methods} == rows
    assert print_matrix().count("\n| ") == len(rows) + 2


def test_the_matrix_says_who_may_call():
    rows = {describe(method)[0]: describe(method)[2:] for method in list_methods()}
    assert rows["auth.v1.AuthService.Login"] == ("yes", "yes", "yes", "yes", "-", "-")
    assert rows["chat.v1.ChatService.Ask"] == ("-", "yes", "yes", "yes", "ASK", "-")
    assert rows["chat.v1.SourceService.EraseQuotes"] == ("-", "-", "-", "-", "-", "ingestion")


def test_what_surrounds_the_matrix_stays():
    assert replace_matrix(f"before\n{BEGIN}\nold\n{END}\nafter") == f"before\n{print_matrix()}\nafter"
