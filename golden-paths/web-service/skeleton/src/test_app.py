import unittest

from app import LONGEST_NAME, SERVICE, answer


class Answers(unittest.TestCase):
    def test_it_says_what_it_is(self):
        self.assertEqual(answer("/"), (200, {"service": SERVICE}))

    def test_it_greets(self):
        self.assertEqual(answer("/v1/greetings/Ada%20L?x=1"), (200, {"greeting": "Hello, Ada L"}))

    def test_it_knows_nothing_else(self):
        for target in ["/v1", "/v1/greetings/", "/v1/greetings/" + "a" * (LONGEST_NAME + 1), "/other/Ada"]:
            self.assertEqual(answer(target)[0], 404, target)


if __name__ == "__main__":
    unittest.main()
